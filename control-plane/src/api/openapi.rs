//! The contract as a document (OpenAPI 3.1), made from the handlers. What a handler says of itself stands beside it;
//! what holds for all of them is said here, once.

use std::sync::LazyLock;

use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{AdditionalProperties, ObjectBuilder, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{
    Content, HeaderBuilder, Ref, RefOr, Required, Response, ResponseBuilder, Schema, SecurityRequirement,
};
use utoipa::{OpenApi, PartialSchema};
use utoipa_swagger_ui::{Config, SwaggerUi};

use super::error::{InvalidRequest, Problem};
use crate::model::OrgId;

/// Where the operations of an organization begin.
const ORGANIZATION: &str = "/v1/{organization}/";

/// What the document says of itself.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Toolplane",
        // The contract's, which the program's own version may outrun.
        version = "1.0.0",
        description = "Publish Python tools from Git and invoke them in fresh sandboxes.\n\n\
                       Bodies are JSON in UTF-8, times RFC 3339 in UTC, ids 24 hexadecimal digits that sort by \
                       creation. Fields that a request does not know are refused.\n\n\
                       `x-permission` names the permission that an operation needs; where it is a list, one of them \
                       is enough, and where it is null, none.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    servers((url = "/", description = "The server that this document came from.")),
    tags(
        (name = "repository", description = "The organization's Git repository, which holds its tools' projects."),
        (name = "tools", description = "Tools and their environment variables."),
        (name = "versions", description = "What was published of a tool."),
        (name = "invocations", description = "Run a version, and look at what ran."),
        (name = "users", description = "Users, and how they sign in."),
        (name = "roles", description = "What users may do."),
        (name = "api-keys", description = "Keys that users sign in with."),
        (name = "operations", description = "What operators look at."),
    ),
    components(schemas(Problem, InvalidRequest)),
)]
pub struct Contract;

/// The contract as a document.
#[utoipa::path(
    get,
    path = "/openapi.json",
    operation_id = "get_openapi",
    tag = "operations",
    responses((status = 200, description = "This document.", content((Object = "application/json")))),
)]
pub async fn get() -> axum::Json<&'static utoipa::openapi::OpenApi> {
    static DOCUMENT: LazyLock<utoipa::openapi::OpenApi> = LazyLock::new(super::document);
    axum::Json(&DOCUMENT)
}

/// A page that shows the document. Its files are in the binary, and it asks nobody outside to judge the document.
pub fn page() -> SwaggerUi {
    SwaggerUi::new("/docs").config(Config::from("/openapi.json").validator_url("none"))
}

/// Adds what holds for every operation to what the handlers say.
pub fn complete(mut document: utoipa::openapi::OpenApi) -> utoipa::openapi::OpenApi {
    let paths = std::mem::take(&mut document.paths.paths);
    for (path, mut item) in paths {
        // The router's `{*path}` takes slashes, too; the document has no such form.
        let path = path.replace("{*", "{");
        let of_organization = path.starts_with(ORGANIZATION);
        if of_organization {
            item.parameters = Some(vec![organization_parameter().into()]);
        }
        // Not every client can send a body with a GET, so the query says as much.
        if let Some(RefOr::T(body)) = item.get.as_mut().and_then(|get| get.request_body.as_mut()) {
            body.required = Some(Required::False);
        }
        let operations = [&mut item.get, &mut item.put, &mut item.post, &mut item.delete, &mut item.patch];
        for operation in operations.into_iter().flatten() {
            if of_organization {
                complete_operation(operation);
            }
            operation.responses.responses.iter_mut().for_each(|(status, response)| complete_response(status, response));
        }
        document.paths.paths.insert(path, item);
    }
    let components = document.components.get_or_insert_default();
    for (status, name, response) in common_responses() {
        let mut response = RefOr::T(response);
        complete_response(status, &mut response);
        components.responses.insert(name.to_owned(), response);
    }
    components.schemas.values_mut().for_each(close_variants);
    components.security_schemes.extend(security_schemes());
    document
}

fn complete_operation(operation: &mut Operation) {
    let is_public = operation.security.is_some();
    let parameters = operation.parameters.get_or_insert_default();
    parameters.retain(|parameter| !matches!(parameter, RefOr::T(parameter) if parameter.name == "organization"));
    if !is_public {
        parameters.push(issuer_parameter().into());
        let requirement = |scheme| SecurityRequirement::new::<_, [&str; 0], &str>(scheme, []);
        operation.security = Some(vec![requirement("bearer"), requirement("basic")]);
    }
    let permission = operation.extensions.as_ref().and_then(|extensions| extensions.get("x-permission"));
    let can_lack_permission = permission.is_some_and(|permission| !permission.is_null());
    for (status, response) in &mut operation.responses.responses {
        if let (true, RefOr::T(response)) = (status.starts_with('2'), response) {
            add_headers(response, &LIMIT_HEADERS);
        }
    }
    let has_body = operation.request_body.is_some();
    for (status, name, _) in common_responses() {
        let applies = match status {
            "403" => can_lack_permission,
            "408" | "413" => has_body,
            _ => true,
        };
        if applies {
            let response = || Ref::from_response_name(name).into();
            operation.responses.responses.entry(status.to_owned()).or_insert_with(response);
        }
    }
}

/// What an answer of an endpoint that has a rate limit says of it.
const LIMIT_HEADERS: [(&str, &str, Type); 3] = [
    ("X-RateLimit-Limit", "How many requests this endpoint takes from the caller within a minute.", Type::Integer),
    ("X-RateLimit-Remaining", "How many of them are left.", Type::Integer),
    ("X-RateLimit-Reset", "When the minute ends, in seconds since 1970.", Type::Integer),
];

/// Errors have one shape, and 422 another; each status has its headers.
fn complete_response(status: &str, response: &mut RefOr<Response>) {
    let RefOr::T(response) = response else { return };
    if !status.starts_with(['4', '5']) {
        return;
    }
    if response.content.is_empty() {
        let schema = if status == "422" { "InvalidRequest" } else { "Problem" };
        let content = Content::new(Some(Ref::from_schema_name(schema)));
        response.content.insert("application/json".to_owned(), content.into());
    }
    let headers: &[(&str, &str, Type)] = match status {
        "401" => &[("WWW-Authenticate", "The ways to prove who one is.", Type::String)],
        "429" | "503" => &[("Retry-After", "When to try again, in seconds.", Type::Integer)],
        _ => &[],
    };
    add_headers(response, headers);
    if status == "429" {
        add_headers(response, &LIMIT_HEADERS);
    }
}

fn add_headers(response: &mut Response, headers: &[(&str, &str, Type)]) {
    for (name, description, kind) in headers {
        let schema = ObjectBuilder::new().schema_type(kind.clone());
        let header = HeaderBuilder::new().schema(Some(schema)).description(Some(*description)).build();
        response.headers.insert((*name).to_owned(), header.into());
    }
}

/// What any operation of an organization may answer: the status, the name in the document, the response.
fn common_responses() -> [(&'static str, &'static str, Response); 9] {
    let response = |description: &str| ResponseBuilder::new().description(description).build();
    [
        ("401", "Unauthenticated", response("There are no credentials, or they are not valid.")),
        ("403", "Forbidden", response("The caller lacks the permission.")),
        ("404", "NotFound", response("The organization does not exist.")),
        ("408", "TooSlow", response("The body did not arrive in time.")),
        ("413", "TooLarge", response("The body is larger than the service takes.")),
        ("422", "Invalid", response("A field of the request is not valid.")),
        ("429", "RateLimited", response("There were too many requests.")),
        ("500", "Internal", response("The service is at fault.")),
        ("503", "Unavailable", response("The service is shutting down, or cannot write.")),
    ]
}

fn organization_parameter() -> Parameter {
    let parameter = ParameterBuilder::new().name("organization").parameter_in(ParameterIn::Path);
    let parameter = parameter.required(Required::True).schema(Some(OrgId::schema()));
    parameter.description(Some("The organization.")).build()
}

fn issuer_parameter() -> Parameter {
    let description = "The organization that issued the token; the one in the path by default.";
    let parameter = ParameterBuilder::new().name("x-org-id").parameter_in(ParameterIn::Header);
    parameter.required(Required::False).schema(Some(OrgId::schema())).description(Some(description)).build()
}

fn security_schemes() -> [(String, RefOr<SecurityScheme>); 2] {
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description(Some("The token that signing in answers."));
    let basic = HttpBuilder::new()
        .scheme(HttpAuthScheme::Basic)
        .description(Some("For Git: the username is `{org_id}_{user_id}`, the password the token."));
    [("bearer", bearer), ("basic", basic)]
        .map(|(name, scheme)| (name.to_owned(), RefOr::T(SecurityScheme::Http(scheme.build()))))
}

/// Our tagged enums refuse fields that a variant does not know, which the derived schemas do not say.
fn close_variants(schema: &mut RefOr<Schema>) {
    let RefOr::T(Schema::OneOf(one_of)) = schema else { return };
    for item in &mut one_of.items {
        if let RefOr::T(Schema::Object(variant)) = item
            && variant.properties.contains_key("type")
        {
            variant.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(false)));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::{Value, json};

    /// Method, path and operation.
    fn operations(document: &Value) -> Vec<(String, Value)> {
        let paths = document["paths"].as_object().unwrap().iter();
        let operations = paths.flat_map(|(path, item)| {
            let methods = item.as_object().unwrap().iter().filter(|(key, _)| *key != "parameters");
            methods.map(move |(method, operation)| (format!("{method} {path}"), operation.clone()))
        });
        operations.collect()
    }

    #[test]
    fn every_operation_has_a_name_of_its_own_a_known_tag_and_a_permission() {
        let document = json!(super::super::document());
        let tags = document["tags"].as_array().unwrap().iter().map(|tag| tag["name"].clone()).collect::<Vec<_>>();
        let mut names = BTreeSet::new();
        for (place, operation) in operations(&document) {
            let name = operation["operationId"].as_str().unwrap();
            assert!(names.insert(name.to_owned()), "{place}: say operation_id, since `{name}` is taken");
            let tag = &operation["tags"][0];
            assert!(tags.contains(tag), "{place}: describe the tag {tag} in api::openapi::Contract");
            let asks_for_token = operation["security"].as_array().is_some_and(|security| security.len() == 2);
            let has_permission = operation.get("x-permission").is_some();
            assert_eq!(has_permission, asks_for_token, "{place}: say x-permission, null where none is needed");
        }
    }

    #[test]
    fn the_committed_document_is_the_one_that_the_code_makes() {
        let committed = include_str!("../../openapi.json").trim_end();
        let made = super::super::document().to_pretty_json().unwrap();
        let same = made.lines().zip(committed.lines()).take_while(|(made, committed)| made == committed).count();
        assert!(
            made == committed,
            "the contract differs from line {} on; if that is meant, renew the document and read what changed:\n    \
             cargo run --release -p control-plane -- openapi > control-plane/openapi.json\n",
            same + 1,
        );
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let document = json!(super::super::document());
        let mut rest = vec![&document];
        while let Some(value) = rest.pop() {
            match value {
                Value::Array(values) => rest.extend(values),
                Value::Object(fields) => rest.extend(fields.values()),
                Value::String(text) if text.starts_with("#/components/") => {
                    assert!(document.pointer(text.trim_start_matches('#')).is_some(), "{text} leads nowhere");
                }
                _ => {}
            }
        }
    }
}
