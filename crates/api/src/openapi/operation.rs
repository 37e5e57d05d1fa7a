//! One operation of a document: what is asked, and everything that may be answered.

use raincheck_core::problem::{MEDIA_TYPE, Problem, ProblemCode};
use serde_json::{Map, Value, json};

/// What any operation may be answered with: by the guard before it, or where the process or its
/// store is in trouble.
const ALWAYS: [ProblemCode; 6] = [
    ProblemCode::MalformedRequest,
    ProblemCode::RequestTimeout,
    ProblemCode::TargetTooLong,
    ProblemCode::HeadersTooLarge,
    ProblemCode::Internal,
    ProblemCode::Draining,
];

/// An operation in the making.
pub(super) struct Operation {
    fields: Map<String, Value>,
    parameters: Vec<Value>,
    responses: Map<String, Value>,
    problems: Vec<ProblemCode>,
}

impl Operation {
    /// An operation with a stable name, its group and its purpose.
    pub(super) fn new(id: &str, tag: &str, summary: &str) -> Self {
        let mut fields = Map::new();
        fields.insert("operationId".to_owned(), id.into());
        fields.insert("tags".to_owned(), json!([tag]));
        fields.insert("summary".to_owned(), summary.into());
        Self {
            fields,
            parameters: Vec::new(),
            responses: Map::new(),
            problems: ALWAYS.to_vec(),
        }
    }

    /// The same at another path.
    pub(super) fn again(mut self) -> Self {
        if let Some(Value::String(id)) = self.fields.get_mut("operationId") {
            id.push_str("Again");
        }
        self
    }

    /// More about it.
    pub(super) fn about(mut self, text: &str) -> Self {
        self.fields.insert("description".to_owned(), text.into());
        self
    }

    pub(super) fn parameters(mut self, parameters: impl IntoIterator<Item = Value>) -> Self {
        self.parameters.extend(parameters);
        self
    }

    /// A JSON body of this schema.
    pub(super) fn takes(mut self, schema: &str, example: Value) -> Self {
        let content = json!({
            "application/json": { "schema": reference(schema), "example": example }
        });
        let body = json!({ "required": true, "content": content });
        self.fields.insert("requestBody".to_owned(), body);
        self
    }

    /// An answer with this status, or `default`.
    pub(super) fn answers(mut self, status: &str, answer: Answer) -> Self {
        self.responses
            .insert(status.to_owned(), answer.into_value());
        self
    }

    /// Problems that it may be answered with, beyond those that any operation may.
    pub(super) fn fails(mut self, codes: &[ProblemCode]) -> Self {
        self.problems.extend(codes);
        self
    }

    /// The finished operation. Answers with problems are added to those that are shared.
    pub(super) fn into_value(mut self, shared: &mut Map<String, Value>) -> Value {
        if !self.parameters.is_empty() {
            let parameters = self.parameters.into();
            self.fields.insert("parameters".to_owned(), parameters);
        }
        self.problems
            .sort_by_key(|code| (code.status(), code.number()));
        self.problems.dedup();
        for codes in self.problems.chunk_by(|a, b| a.status() == b.status()) {
            let Some(status) = codes.first().map(|code| code.status().to_string()) else {
                continue;
            };
            let problems = problems(codes);
            match self.responses.get_mut(&status) {
                // A page for people stands there already.
                Some(said) => said["content"][MEDIA_TYPE] = problems["content"][MEDIA_TYPE].clone(),
                None => {
                    let slugs: Vec<_> = codes.iter().map(|code| code.slug()).collect();
                    let name = slugs.join(".");
                    let there = json!({ "$ref": format!("#/components/responses/{name}") });
                    shared.entry(name).or_insert(problems);
                    self.responses.insert(status, there);
                }
            }
        }
        self.responses.sort_keys();
        let responses = self.responses.into();
        self.fields.insert("responses".to_owned(), responses);
        self.fields.into()
    }
}

/// The answer with one of these codes, which have one status.
fn problems(codes: &[ProblemCode]) -> Value {
    let titles: Vec<_> = codes.iter().map(|code| code.title()).collect();
    let slugs: Vec<_> = codes.iter().map(|code| code.slug()).collect();
    let examples: Map<String, Value> = codes
        .iter()
        .map(|code| {
            let example = Problem::new(*code, code.title()).to_value();
            (code.slug().to_owned(), json!({ "value": example }))
        })
        .collect();
    let schema = json!({
        "allOf": [
            reference("Problem"),
            { "properties": { "code": { "enum": slugs } } },
        ]
    });
    let mut answer = Answer::new(&format!("{}.", titles.join(". ")))
        .header("Raincheck-Error", "Always `gateway`.")
        .into_value();
    if codes.iter().any(|code| code.retryable()) {
        let about = "Whole seconds after which to try again.";
        answer["headers"]["Retry-After"] = header(about, false);
    }
    answer["content"][MEDIA_TYPE] = json!({ "schema": schema, "examples": examples });
    answer
}

/// A reference to one of the schemas.
pub(super) fn reference(schema: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{schema}") })
}

fn header(about: &str, always: bool) -> Value {
    json!({ "description": about, "required": always, "schema": { "type": "string" } })
}

/// One answer in the making.
pub(super) struct Answer {
    about: String,
    headers: Map<String, Value>,
    content: Map<String, Value>,
}

impl Answer {
    /// An answer, in words.
    pub(super) fn new(about: &str) -> Self {
        Self {
            about: about.to_owned(),
            headers: Map::new(),
            content: Map::new(),
        }
    }

    /// A field that is always there.
    pub(super) fn header(mut self, name: &str, about: &str) -> Self {
        self.headers.insert(name.to_owned(), header(about, true));
        self
    }

    /// A field that may be there.
    pub(super) fn maybe(mut self, name: &str, about: &str) -> Self {
        self.headers.insert(name.to_owned(), header(about, false));
        self
    }

    /// A JSON document of this schema.
    pub(super) fn json(mut self, schema: &str, example: Value) -> Self {
        let content = json!({ "schema": reference(schema), "example": example });
        self.content.insert("application/json".to_owned(), content);
        self
    }

    /// Text of this type.
    pub(super) fn text(self, kind: &str) -> Self {
        self.content(kind, json!({ "type": "string" }))
    }

    /// A body of this type and schema.
    pub(super) fn content(mut self, kind: &str, schema: Value) -> Self {
        let content = json!({ "schema": schema });
        self.content.insert(kind.to_owned(), content);
        self
    }

    /// A body of any type.
    pub(super) fn anything(mut self) -> Self {
        self.content.insert("*/*".to_owned(), json!({}));
        self
    }

    fn into_value(self) -> Value {
        let mut answer = json!({ "description": self.about });
        if !self.headers.is_empty() {
            answer["headers"] = self.headers.into();
        }
        if !self.content.is_empty() {
            answer["content"] = self.content.into();
        }
        answer
    }
}
