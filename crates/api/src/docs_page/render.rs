//! Turns an OpenAPI document into HTML.

use std::fmt::Write as _;

use serde_json::{Map, Value};

/// Methods in the order in which a path lists them.
const METHODS: [&str; 4] = ["get", "post", "put", "delete"];

/// The whole page.
pub(super) fn page(document: &Value) -> String {
    let tags: Vec<&Value> = items(&document["tags"]).collect();
    let mut html = String::with_capacity(256 * 1024);
    html.push_str(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>Longhaul API</title><link rel=\"stylesheet\" href=\"/api/docs/style.css\"></head><body>\
         <nav aria-label=\"Sections\"><p class=\"brand\">Longhaul API</p><ul>",
    );
    for tag in &tags {
        let name = text(&tag["name"]);
        put(
            &mut html,
            format_args!("<li><a href=\"#{}\">{}</a></li>", anchor(name), escape(name)),
        );
    }
    html.push_str("<li><a href=\"#schemas\">Schemas</a></li></ul></nav><main>");
    head(&mut html, document);
    for tag in tags {
        section(&mut html, document, tag);
    }
    schemas(&mut html, document);
    html.push_str("</main></body></html>");
    html
}

fn head(html: &mut String, document: &Value) {
    let info = &document["info"];
    put(
        html,
        format_args!(
            "<h1>{} API <small>{}</small></h1>",
            escape(text(&info["title"])),
            escape(text(&info["version"]))
        ),
    );
    for paragraph in text(&info["description"]).split("\n\n") {
        put(html, format_args!("<p>{}</p>", inline(paragraph)));
    }
    html.push_str(
        "<p>The document itself: <a href=\"/api/openapi.json\">openapi.json</a> (OpenAPI 3.1).</p>",
    );
}

/// The operations of one tag.
fn section(html: &mut String, document: &Value, tag: &Value) {
    let name = text(&tag["name"]);
    put(
        html,
        format_args!(
            "<section id=\"{0}\"><h2>{1}</h2><p>{2}</p>",
            anchor(name),
            escape(name),
            inline(text(&tag["description"]))
        ),
    );
    for (path, item) in fields(&document["paths"]) {
        for method in METHODS {
            let operation = &item[method];
            if items(&operation["tags"]).any(|t| t == name) {
                self::operation(html, path, method, item, operation);
            }
        }
    }
    html.push_str("</section>");
}

fn operation(html: &mut String, path: &str, method: &str, item: &Value, operation: &Value) {
    let id = escape(text(&operation["operationId"]));
    put(
        html,
        format_args!(
            "<details id=\"{id}\"><summary><b class=\"m {method}\">{}</b><code>{}</code><span>{}</span></summary>\
             <div class=\"op\"><p>{}</p><p class=\"quiet\">{id}</p>",
            method.to_uppercase(),
            escape(path),
            escape(text(&operation["summary"])),
            inline(text(&operation["description"])),
        ),
    );
    let parameters: Vec<&Value> = items(&item["parameters"])
        .chain(items(&operation["parameters"]))
        .collect();
    if !parameters.is_empty() {
        html.push_str("<h3>Parameters</h3>");
        table_start(html);
        for parameter in parameters {
            let required = parameter["required"] == true;
            row(
                html,
                text(&parameter["name"]),
                &parameter["schema"],
                required,
                text(&parameter["description"]),
            );
        }
        html.push_str("</tbody></table>");
    }
    let body = &operation["requestBody"]["content"]["application/json"]["schema"];
    if !body.is_null() {
        put(html, format_args!("<h3>Body</h3><p>{}</p>", type_of(body)));
    }
    html.push_str("<h3>Answers</h3><ul class=\"answers\">");
    for (status, response) in fields(&operation["responses"]) {
        let schema = &response["content"]["application/json"]["schema"];
        let shape = match response["$ref"].as_str() {
            Some(_) => "<a href=\"#Failure\">Failure</a>".to_owned(),
            None => type_of(schema),
        };
        put(
            html,
            format_args!("<li><code>{}</code> {shape}</li>", escape(status)),
        );
    }
    html.push_str("</ul></div></details>");
}

/// Every named shape.
fn schemas(html: &mut String, document: &Value) {
    html.push_str("<section id=\"schemas\"><h2>Schemas</h2>");
    for (name, schema) in fields(&document["components"]["schemas"]) {
        put(
            html,
            format_args!(
                "<article id=\"{}\"><h3>{}</h3><p>{}</p>",
                escape(name),
                escape(name),
                inline(text(&schema["description"]))
            ),
        );
        let properties = &schema["properties"];
        let parts: Vec<&Value> = items(&schema["allOf"]).collect();
        if properties.is_object() || !parts.is_empty() {
            table_start(html);
            for part in parts.iter().copied().chain([schema]) {
                rows(html, part);
            }
            html.push_str("</tbody></table>");
            for part in parts.iter().filter(|part| part["$ref"].is_string()) {
                put(html, format_args!("<p>and the fields of {}</p>", type_of(part)));
            }
        } else {
            put(html, format_args!("<p>{}</p>", type_of(schema)));
        }
        html.push_str("</article>");
    }
    html.push_str("</section>");
}

fn rows(html: &mut String, schema: &Value) {
    for (field, property) in fields(&schema["properties"]) {
        let required = items(&schema["required"]).any(|name| name == field.as_str());
        row(html, field, property, required, text(&property["description"]));
    }
}

fn table_start(html: &mut String) {
    html.push_str("<table><thead><tr><th scope=\"col\">Name</th><th scope=\"col\">Type</th><th scope=\"col\">Meaning</th></tr></thead><tbody>");
}

fn row(html: &mut String, name: &str, schema: &Value, required: bool, meaning: &str) {
    let mark = if required { " <em>required</em>" } else { "" };
    put(
        html,
        format_args!(
            "<tr><th scope=\"row\"><code>{}</code>{mark}</th><td>{}</td><td>{}</td></tr>",
            escape(name),
            type_of(schema),
            inline(meaning),
        ),
    );
}

/// A type in a few words, with links to named shapes.
fn type_of(schema: &Value) -> String {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = escape(reference.rsplit('/').next().unwrap_or_default());
        return format!("<a href=\"#{name}\">{name}</a>");
    }
    for key in ["oneOf", "anyOf", "allOf"] {
        if schema[key].is_array() {
            return items(&schema[key]).map(type_of).collect::<Vec<_>>().join(" or ");
        }
    }
    let names: Vec<&str> = match &schema["type"] {
        Value::Array(types) => types.iter().map(text).collect(),
        Value::String(name) => vec![name],
        _ => vec!["any"],
    };
    let words = names.iter().map(|name| match *name {
        "array" => format!("list of {}", type_of(&schema["items"])),
        "object" if schema["properties"].is_object() => shape(&schema["properties"]),
        name => escape(name),
    });
    let mut word = words.collect::<Vec<_>>().join(" or ");
    if let Some(format) = schema["format"].as_str() {
        put(
            &mut word,
            format_args!(" <span class=\"quiet\">{}</span>", escape(format)),
        );
    }
    word
}

/// The fields of a shape without a name.
fn shape(properties: &Value) -> String {
    let parts: Vec<String> = fields(properties)
        .map(|(name, schema)| format!("{}: {}", escape(name), type_of(schema)))
        .collect();
    format!("{{ {} }}", parts.join(", "))
}

fn fields(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The id of a section in the page.
fn anchor(name: &str) -> String {
    name.to_lowercase().replace(' ', "-")
}

/// Text with `code` marked up.
fn inline(paragraph: &str) -> String {
    let mut html = String::with_capacity(paragraph.len());
    for (i, part) in paragraph.split('`').enumerate() {
        if i % 2 == 1 {
            put(&mut html, format_args!("<code>{}</code>", escape(part)));
        } else {
            html.push_str(&escape(part));
        }
    }
    html
}

/// Text that is safe between tags and in quoted attributes.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

fn put(html: &mut String, parts: std::fmt::Arguments<'_>) {
    // Writing to a text cannot fail.
    let _ = html.write_fmt(parts);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nothing_of_the_document_becomes_markup() {
        let document = json!({
            "info": {"title": "<b>", "description": "a `<i>` & \"b\""},
            "tags": [{"name": "Things"}],
            "paths": {"/x<y>": {"get": {"tags": ["Things"], "operationId": "Get\"X", "summary": "<u>"}}},
        });
        let html = page(&document);
        for bad in ["<b>", "<i>", "<u>", "<y>", "Get\"X"] {
            assert!(
                !html.contains(&format!("{bad} ")) && !html.contains(&format!(">{bad}<")),
                "{bad}"
            );
        }
        assert!(html.contains("<code>&lt;i&gt;</code>"));
    }

    #[test]
    fn types_are_told_in_words() {
        assert_eq!(type_of(&json!({"type": ["string", "null"]})), "string or null");
        assert_eq!(
            type_of(&json!({"type": "array", "items": {"type": "integer"}})),
            "list of integer"
        );
        assert_eq!(
            type_of(&json!({"$ref": "#/components/schemas/A"})),
            "<a href=\"#A\">A</a>"
        );
    }
}
