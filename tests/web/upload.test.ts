// @vitest-environment jsdom
import { expect, it, vi } from "vitest";
import { checkFile } from "../../web/src/datasets/files";
import { type Steps, Upload } from "../../web/src/datasets/upload.svelte";
import { Problem } from "../../web/src/problem";

const FILE = new File(["a,b\n1,2\n"], "orders.csv");
const DATASET = { id: "d1", name: "orders.csv" };
const ANNOUNCED = { dataset: DATASET, upload: { url: "https://s.example/1", method: "PUT", headers: {} } };

function steps(others: Partial<Record<keyof Steps, ReturnType<typeof vi.fn>>> = {}) {
  return {
    check: vi.fn().mockResolvedValue(undefined),
    digest: vi.fn().mockResolvedValue("abc"),
    announce: vi.fn().mockResolvedValue(ANNOUNCED),
    send: vi.fn().mockResolvedValue(undefined),
    complete: vi.fn().mockResolvedValue(DATASET),
    remove: vi.fn().mockResolvedValue(undefined),
    ...others,
  };
}

function uploadWith(fakes: ReturnType<typeof steps>): Upload {
  return new Upload(1, FILE, "ada", fakes as unknown as Steps);
}

const lost = () => new Problem("The server cannot be reached.", { status: 0, code: "unreachable" });
const refused = (status: number) => new Problem("No.", { status, code: `http_${status}` });

it("announces, sends and completes, telling how far it is", async () => {
  const fakes = steps();
  const shares: number[] = [];
  fakes.send.mockImplementation(async (_target, _file, onShare: (share: number) => void) => {
    onShare(0.5);
    shares.push(upload.share);
  });
  const upload = uploadWith(fakes);
  await upload.start();

  expect(upload.phase).toBe("done");
  expect(upload.dataset).toEqual(DATASET);
  expect(shares).toEqual([0.5]);
  expect(fakes.complete).toHaveBeenCalledExactlyOnceWith("d1", "abc");
});

it("goes on after a lost connection with the place it was given, and does not read the file again", async () => {
  const fakes = steps();
  fakes.send.mockRejectedValueOnce(lost());
  const upload = uploadWith(fakes);

  await upload.start();
  expect(upload.phase).toBe("stopped");
  await upload.start();

  expect(upload.phase).toBe("done");
  expect(fakes.announce).toHaveBeenCalledTimes(1);
  expect(fakes.digest).toHaveBeenCalledTimes(1);
  expect(fakes.send).toHaveBeenCalledTimes(2);
});

it("keeps what was sent when the session ends before the end", async () => {
  const fakes = steps();
  fakes.complete.mockRejectedValueOnce(refused(401));
  const upload = uploadWith(fakes);

  await upload.start();
  expect(upload.phase).toBe("stopped");
  await upload.start();

  expect(upload.phase).toBe("done");
  expect(fakes.send).toHaveBeenCalledTimes(1);
});

it("takes bytes that storage has already for sent: the answer to the first attempt was lost", async () => {
  const fakes = steps();
  fakes.send.mockRejectedValueOnce(refused(409));
  const upload = uploadWith(fakes);
  await upload.start();

  expect(upload.phase).toBe("done");
});

it("asks for another place when the first one is too old", async () => {
  const fakes = steps();
  fakes.send.mockRejectedValueOnce(lost()).mockRejectedValueOnce(refused(403));
  const upload = uploadWith(fakes);
  await upload.start();
  await upload.start();

  expect(upload.phase).toBe("done");
  expect(fakes.announce).toHaveBeenCalledTimes(2);
  expect(fakes.remove).toHaveBeenCalledExactlyOnceWith("d1");
});

it.each([413, 422])(
  "refuses for good what storage or server answer with %d, and leaves nothing behind",
  async (status) => {
    const fakes = steps();
    fakes.send.mockRejectedValue(refused(status));
    const upload = uploadWith(fakes);
    await upload.start();
    await upload.start();

    expect(upload.phase).toBe("refused");
    expect(upload.problem?.message).toBe("No.");
    expect(fakes.send).toHaveBeenCalledTimes(1);
    expect(fakes.remove).toHaveBeenCalledExactlyOnceWith("d1");
  },
);

it("sends again when the bytes have not arrived after all", async () => {
  const fakes = steps();
  fakes.complete.mockRejectedValueOnce(refused(409));
  const upload = uploadWith(fakes);

  await upload.start();
  expect(upload.phase).toBe("stopped");
  await upload.start();

  expect(upload.phase).toBe("done");
  expect(fakes.send).toHaveBeenCalledTimes(2);
});

it("takes away what was announced while it was being cancelled", async () => {
  let arrive: (value: unknown) => void = () => {};
  const fakes = steps({ announce: vi.fn().mockReturnValue(new Promise((resolve) => (arrive = resolve))) });
  const upload = uploadWith(fakes);
  const started = upload.start();
  await vi.waitFor(() => expect(fakes.announce).toHaveBeenCalled());

  await upload.cancel();
  arrive(ANNOUNCED);
  await started;

  expect(upload.phase).toBe("cancelled");
  expect(fakes.send).not.toHaveBeenCalled();
  expect(fakes.remove).toHaveBeenCalledExactlyOnceWith("d1");
});

it.each([
  ["orders.xlsx", "PK", "spreadsheet"],
  ["orders.exe", "MZ", "Not a kind of file"],
  ["orders.csv", "", "empty"],
  ["orders.csv", "PK\u0003\u0004…", "whatever its name says"],
  ["orders.csv.gz", "a,b\n", "not packed with gzip"],
  ["orders.parquet", "a,b\n", "no Parquet file"],
])("says what is wrong with %s before anything is sent", async (name, content, words) => {
  await expect(checkFile(new File([content], name))).rejects.toThrow(words);
});

it("takes tables by their name and content", async () => {
  await expect(checkFile(new File(["a;b\n1;2"], "Größen 2026.TSV"))).resolves.toBeUndefined();
  await expect(checkFile(new File([new Uint8Array([0x1f, 0x8b, 8])], "orders.csv.gz"))).resolves.toBeUndefined();
});
