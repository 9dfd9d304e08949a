//! Parameters as the contract's document describes them. What reads them stands in `page`.

use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ArrayBuilder, KnownFormat, ObjectBuilder, SchemaFormat, Type};
use utoipa::openapi::{RefOr, Required, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::model::EnvVarName;

/// What `ref` is where a request has none.
pub const DEFAULT_REFERENCE: &str = "main";

/// An exact version, or a constraint as Python's version specifiers have it (PEP 440).
pub struct VersionConstraint;

impl PartialSchema for VersionConstraint {
    fn schema() -> RefOr<Schema> {
        let number = "[0-9]{1,9}";
        let more = format!("\\.{number}");
        // What Python's versions may have and ours have not; a constraint may still name it.
        let rest = "((a|b|rc)[0-9]{1,9})?(\\.post[0-9]{1,9})?(\\.dev[0-9]{1,9})?";
        let clause = format!(
            "(~= *{number}({more})+{rest}|(==|!=) *{number}({more})*\\.\\*|(===?|!=|<=?|>=?) *{number}({more})*{rest})"
        );
        let exact = "(0|[1-9][0-9]{0,8})(\\.(0|[1-9][0-9]{0,8})){2}";
        let pattern = format!("^({exact}|{clause}( *, *{clause})*)$");
        text().pattern(Some(pattern)).examples(["1.0.0", "~=1.2", ">=1.0,<2"]).into()
    }
}

impl ToSchema for VersionConstraint {}

/// A body that is no text.
pub struct Binary;

impl PartialSchema for Binary {
    fn schema() -> RefOr<Schema> {
        text().format(Some(SchemaFormat::KnownFormat(KnownFormat::Binary))).into()
    }
}

impl ToSchema for Binary {}

/// How many entries a page may hold.
pub fn limit(default: usize, max: usize) -> Parameter {
    let schema = integer().minimum(Some(1)).maximum(Some(max)).default(Some(default.into()));
    query("limit").description(Some("How many entries the page may hold.")).schema(Some(schema)).build()
}

/// Where the page begins.
pub fn continuation_token(default: usize) -> Parameter {
    let schema = integer().minimum(Some(default)).default(Some(default.into()));
    let description = "The one of the answer before; without it, the first page.";
    query("continuation_token").description(Some(description)).schema(Some(schema)).build()
}

/// The fields to sort by.
pub fn sort_by(fields: &[&str]) -> Parameter {
    let fields = fields.join("|").replace('.', "\\.");
    let field = text().pattern(Some(format!("^[+-]?({fields})$")));
    let description = "`+field` or `-field`; later ones break ties, and the id breaks the last. \
                       Mind that a `+` is written `%2B` in a query.";
    many("sort_by", description, field)
}

/// `true` or `false`, where leaving it out means neither.
pub fn flag(name: &str, description: &str) -> Parameter {
    query(name).description(Some(description)).schema(Some(ObjectBuilder::new().schema_type(Type::Boolean))).build()
}

/// `true` or, by default, `false`.
pub fn switch(name: &str, description: &str) -> Parameter {
    let schema = ObjectBuilder::new().schema_type(Type::Boolean).default(Some(false.into()));
    query(name).description(Some(description)).schema(Some(schema)).build()
}

/// Which state of the repository is meant.
pub fn reference() -> Parameter {
    let schema = repository_text().default(Some(DEFAULT_REFERENCE.into())).examples(["main", "v1.0"]);
    query("ref").description(Some("A branch, a tag or a commit's 40 digits.")).schema(Some(schema)).build()
}

/// A key that has to stand once.
pub fn required(name: &str, description: &str, schema: impl Into<RefOr<Schema>>) -> Parameter {
    query(name).required(Required::True).description(Some(description)).schema(Some(schema)).build()
}

/// A key that may stand once.
pub fn one(name: &str, description: &str, schema: impl Into<RefOr<Schema>>) -> Parameter {
    query(name).description(Some(description)).schema(Some(schema)).build()
}

/// A key that may be repeated.
pub fn many(name: &str, description: &str, entry: impl Into<RefOr<Schema>>) -> Parameter {
    let schema = ArrayBuilder::new().items(entry.into());
    query(name).description(Some(description)).schema(Some(schema)).explode(Some(true)).build()
}

/// The values of a tool's variables, by name.
pub fn variable_values() -> ObjectBuilder {
    ObjectBuilder::new()
        .property_names(Some(Schema::from(EnvVarName::schema())))
        .additional_properties(Some(Schema::from(
            text().format(Some(SchemaFormat::KnownFormat(KnownFormat::Password))),
        )))
        .default(Some(serde_json::json!({})))
}

/// The same, where no value may stand twice.
pub fn many_unique(name: &str, description: &str, entry: impl Into<RefOr<Schema>>) -> Parameter {
    let schema = ArrayBuilder::new().items(entry.into()).unique_items(true);
    query(name).description(Some(description)).schema(Some(schema)).explode(Some(true)).build()
}

/// Any text.
pub fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

/// What may name something of a repository: any text without a NUL.
pub fn repository_text() -> ObjectBuilder {
    text().pattern(Some("^[^\\x00]*$"))
}

/// One of these texts.
pub fn one_of(values: &[&'static str]) -> ObjectBuilder {
    text().enum_values(Some(values.iter().copied()))
}

/// A whole number that every program can hold.
fn integer() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Integer).format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
}

fn query(name: &str) -> ParameterBuilder {
    ParameterBuilder::new().name(name).parameter_in(ParameterIn::Query).required(Required::False)
}
