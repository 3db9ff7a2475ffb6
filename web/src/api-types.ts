/** Generated from the API's own description by `npm run types`; do not edit. */

export interface paths {
    "/api/models": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: operations["list_models_api_models_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/models/{slug}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: operations["get_model_api_models__slug__get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch: operations["update_model_api_models__slug__patch"];
        trace?: never;
    };
    "/api/models/{slug}/aliases/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put: operations["promote_api_models__slug__aliases__name__put"];
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/models/{slug}/artifact": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: operations["get_artifact_api_models__slug__artifact_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/models/{slug}/card": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: operations["get_card_api_models__slug__card_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/models/{slug}/promotions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: operations["list_promotions_api_models__slug__promotions_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/models/{slug}/rollback": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post: operations["roll_back_api_models__slug__rollback_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/models/{slug}/versions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: operations["list_versions_api_models__slug__versions_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/predict/{model}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: operations["predict_permalink_api_predict__model__get"];
        put?: never;
        post: operations["predict_api_predict__model__post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/predict/{model}/what-if": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post: operations["ask_what_if_api_predict__model__what_if_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        Alias: {
            name: string;
            number: number | null;
            /** Format: date-time */
            updated_at: string;
        };
        Answer: {
            alias: string | null;
            explanations?: components["schemas"]["Explanation"][] | null;
            id: string;
            model: string;
            predictions: components["schemas"]["Prediction"][];
            /** @enum {string} */
            task: "binary" | "multiclass" | "regression";
            timing: components["schemas"]["Timing"];
            version: number | null;
            warnings: components["schemas"]["FieldProblem"][];
        };
        Candidate: {
            chosen: boolean;
            parameters: {
                [key: string]: number | string | boolean | null;
            };
            recipe: string;
            score: number;
            seconds: number;
        };
        Card: {
            background: {
                [key: string]: number | boolean | string | null;
            }[];
            class_shares: number[];
            classes: string[];
            contract_version: number;
            dataset: components["schemas"]["DatasetNote"];
            description: string;
            digest: string;
            evaluation: components["schemas"]["Evaluation"];
            examples: {
                [key: string]: number | boolean | string | null;
            }[];
            features: components["schemas"]["Feature"][];
            ignored_columns: string[];
            interval: components["schemas"]["IntervalNote"] | null;
            libraries: {
                [key: string]: string;
            };
            name: string;
            parameters: {
                [key: string]: number | string | boolean | null;
            };
            parity: components["schemas"]["ParityCertificate"];
            recipe: string;
            seed: number;
            size_bytes: number;
            target: string;
            target_histogram: number[];
            target_quantiles: number[];
            /** @enum {string} */
            task: "binary" | "multiclass" | "regression";
            title: string;
            /** Format: date-time */
            trained_at: string;
            training_seconds: number;
            warnings: string[];
        };
        CategoryCount: {
            share: number;
            value: string;
        };
        Contribution: {
            contribution: number;
            feature: string;
            standard_error: number;
            value: number | boolean | string | null;
        };
        DatasetNote: {
            columns: number;
            licence: string | null;
            name: string;
            rows: number;
            sha256: string;
            source: string | null;
        };
        Evaluation: {
            baseline: components["schemas"]["Metric"][];
            confusion: number[][];
            importance: components["schemas"]["Importance"][];
            leaderboard: components["schemas"]["Candidate"][];
            metrics: components["schemas"]["Metric"][];
            reliability: components["schemas"]["ReliabilityBin"][];
            residual_quantiles: number[];
            rows: number;
        };
        Explanation: {
            baseline: number;
            contributions: components["schemas"]["Contribution"][];
            label?: string | null;
            /** @enum {string} */
            method: "exact" | "sampled";
            output: number;
            references: number;
            rows_used: number;
            seed: number;
            sum_error: number;
        };
        Feature: {
            categories: components["schemas"]["CategoryCount"][];
            category_count: number;
            default: number | boolean | string | null;
            histogram: number[];
            /** @enum {string} */
            kind: "number" | "integer" | "boolean" | "category";
            maximum: number | null;
            minimum: number | null;
            missing_share: number;
            name: string;
            position: number;
            quantiles: number[];
            required: boolean;
        };
        FieldProblem: {
            detail: string;
            pointer: string;
        };
        Importance: {
            deviation: number;
            feature: string;
            mean: number;
        };
        Interval: {
            coverage: number;
            high: number;
            low: number;
        };
        IntervalNote: {
            coverage: number;
            half_width: number;
            measured: number;
        };
        ListedVersion: {
            aliases: string[];
            baseline: components["schemas"]["Metric"][];
            classes: string[];
            /** Format: date-time */
            created_at: string;
            digest: string;
            id: string | null;
            metrics: components["schemas"]["Metric"][];
            number: number | null;
            rows: number;
            size_bytes: number;
        };
        Metric: {
            /** @enum {string} */
            better: "higher" | "lower";
            high: number;
            low: number;
            name: string;
            primary: boolean;
            value: number;
        };
        Model: {
            aliases: components["schemas"]["Alias"][];
            champion: components["schemas"]["Version"] | null;
            /** Format: date-time */
            created_at: string;
            description: string;
            keep_inputs: boolean;
            slug: string;
            target: string;
            /** @enum {string} */
            task: "binary" | "multiclass" | "regression";
            title: string;
            /** Format: date-time */
            updated_at: string;
            /** @enum {string} */
            visibility: "private" | "public";
        };
        ModelChanges: {
            description?: string | null;
            keep_inputs?: boolean | null;
            title?: string | null;
            visibility?: ("private" | "public") | null;
        };
        ModelList: {
            models: components["schemas"]["Model"][];
        };
        ParityCertificate: {
            engines: string[];
            kinds: components["schemas"]["ParityKind"][];
            label_flips: number;
            max_error: number;
            passed: boolean;
            rows: number;
            tolerance: number;
            worst_row: {
                [key: string]: number | boolean | string | null;
            };
        };
        ParityKind: {
            /** @enum {string} */
            kind: "held_out" | "missing" | "unseen" | "extreme" | "threshold";
            label_flips: number;
            max_error: number;
            rows: number;
        };
        Point: {
            prediction: components["schemas"]["Prediction"];
            value: number | boolean | string | null;
        };
        Prediction: {
            interval?: components["schemas"]["Interval"] | null;
            label?: string | null;
            probabilities?: {
                [key: string]: number;
            } | null;
            value?: number | null;
        };
        Problem: {
            code: string;
            detail: string;
            error: string;
            errors: components["schemas"]["FieldProblem"][];
            status: number;
            title: string;
            type: string;
        };
        Promotion: {
            alias: string;
            evidence: {
                [key: string]: unknown;
            };
            from_version: number | null;
            id: string;
            model: string;
            /** Format: date-time */
            promoted_at: string;
            promoted_by: string | null;
            reason: string;
            rollback_of: string | null;
            to_version: number;
        };
        PromotionList: {
            promotions: components["schemas"]["Promotion"][];
        };
        PromotionOrder: {
            reason: string;
            version: number;
        };
        ReliabilityBin: {
            count: number;
            observed: number;
            predicted: number;
        };
        RollbackOrder: {
            /** @default champion */
            alias: string;
            reason: string;
        };
        Timing: {
            infer_ms: number;
            parse_ms: number;
            total_ms: number;
            validate_ms: number;
        };
        Version: {
            baseline: components["schemas"]["Metric"][];
            classes: string[];
            /** Format: date-time */
            created_at: string;
            digest: string;
            id: string | null;
            metrics: components["schemas"]["Metric"][];
            number: number | null;
            rows: number;
            size_bytes: number;
        };
        VersionList: {
            versions: components["schemas"]["ListedVersion"][];
        };
        WhatIf: {
            current: number | boolean | string | null;
            feature: string;
            /** @enum {string} */
            kind: "number" | "integer" | "boolean" | "category";
            model: string;
            points: components["schemas"]["Point"][];
            version: number | null;
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    list_models_api_models_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ModelList"];
                };
            };
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_model_api_models__slug__get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                slug: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Model"];
                };
            };
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    update_model_api_models__slug__patch: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                slug: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ModelChanges"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Model"];
                };
            };
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    promote_api_models__slug__aliases__name__put: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                name: string;
                slug: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PromotionOrder"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Promotion"];
                };
            };
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_artifact_api_models__slug__artifact_get: {
        parameters: {
            query?: {
                version?: string;
            };
            header?: never;
            path: {
                slug: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/octet-stream": unknown;
                };
            };
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_card_api_models__slug__card_get: {
        parameters: {
            query?: {
                version?: string;
            };
            header?: never;
            path: {
                slug: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Card"];
                };
            };
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    list_promotions_api_models__slug__promotions_get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                slug: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PromotionList"];
                };
            };
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    roll_back_api_models__slug__rollback_post: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                slug: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["RollbackOrder"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Promotion"];
                };
            };
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    list_versions_api_models__slug__versions_get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                slug: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["VersionList"];
                };
            };
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    predict_permalink_api_predict__model__get: {
        parameters: {
            query?: {
                features?: {
                    [key: string]: string;
                };
            };
            header?: never;
            path: {
                model: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Answer"];
                };
            };
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    predict_api_predict__model__post: {
        parameters: {
            query?: {
                explain?: "0" | "1" | "false" | "true";
            };
            header?: never;
            path: {
                model: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    [key: string]: number | string | boolean | null;
                } | {
                    rows: {
                        [key: string]: number | string | boolean | null;
                    }[];
                } | {
                    columns: {
                        [key: string]: unknown[];
                    };
                } | {
                    [key: string]: number | string | boolean | null;
                }[];
                "text/csv": string;
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Answer"];
                };
            };
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    ask_what_if_api_predict__model__what_if_post: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                model: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    feature: string;
                    /** @default 41 */
                    points?: number;
                    row: {
                        [key: string]: number | boolean | string | null;
                    };
                };
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WhatIf"];
                };
            };
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
}
