//! HTML made on the server, and the JSON tree.
//!
//! The tree of a payload is plain `<details>`, so it folds without script, and building it here
//! keeps the code for it out of the browser half.

use serde::{Deserialize, Serialize};

/// HTML that this module wrote, so every foreign text in it is escaped.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Html(String);

impl Html {
    /// Whether there is nothing to show.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The HTML.
    pub fn into_inner(self) -> String {
        self.0
    }
}

#[cfg(feature = "ssr")]
impl Html {
    /// HTML of this kit. Whoever calls it has escaped every foreign text with [`escape`].
    pub(super) fn trusted(html: String) -> Self {
        Self(html)
    }
}

/// `text` as it may stand in an element or in a quoted attribute.
#[cfg(feature = "ssr")]
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(feature = "ssr")]
pub use tree::json_tree;

#[cfg(feature = "ssr")]
mod tree {
    use std::fmt::Write as _;

    use serde_json::Value;

    use super::{Html, escape};
    use crate::ui::json::Json;

    /// Containers nested deeper than this start folded.
    const OPEN_DEPTH: usize = 3;
    /// Arrays longer than this start folded.
    const OPEN_ITEMS: usize = 20;

    /// The folding tree of `value`, at most `max_nodes` long; the rest is counted.
    pub fn json_tree(value: &Json, max_nodes: usize) -> Html {
        let mut tree = Tree {
            out: String::from("<ul>"),
            left: max_nodes,
        };
        tree.item(None, value, 0);
        tree.out.push_str("</ul>");
        Html::trusted(tree.out)
    }

    struct Tree {
        out: String,
        left: usize,
    }

    impl Tree {
        fn item(&mut self, key: Option<&str>, value: &Json, depth: usize) {
            self.left = self.left.saturating_sub(1);
            match value {
                Json::Object(map) if !map.is_empty() => {
                    self.open(key, depth, map.len(), ('{', '}'), ("key", "keys"));
                    let mut shown = 0;
                    for (name, child) in map {
                        if self.left == 0 {
                            break;
                        }
                        self.item(Some(name), child, depth + 1);
                        shown += 1;
                    }
                    self.close(map.len() - shown);
                }
                Json::Array(list) if !list.is_empty() => {
                    self.open(key, depth, list.len(), ('[', ']'), ("item", "items"));
                    let mut shown = 0;
                    for child in list {
                        if self.left == 0 {
                            break;
                        }
                        self.item(None, child, depth + 1);
                        shown += 1;
                    }
                    self.close(list.len() - shown);
                }
                Json::Object(_) => self.leaf(key, "c-lit", "{}"),
                Json::Array(_) => self.leaf(key, "c-lit", "[]"),
                Json::Leaf(value) => {
                    let class = match value {
                        Value::String(_) => "c-str",
                        Value::Number(_) => "c-num",
                        _ => "c-lit",
                    };
                    self.leaf(key, class, &value.to_string());
                }
            }
        }

        fn open(
            &mut self,
            key: Option<&str>,
            depth: usize,
            n: usize,
            ends: (char, char),
            words: (&str, &str),
        ) {
            let open = if depth < OPEN_DEPTH && n <= OPEN_ITEMS {
                " open"
            } else {
                ""
            };
            let word = if n == 1 { words.0 } else { words.1 };
            let _ = write!(self.out, "<li><details{open}><summary>");
            self.key(key);
            let (start, end) = ends;
            let _ = write!(
                self.out,
                "<span class=\"c-dim\">{start}</span><span class=\"fold\"> {n} {word} {end}</span></summary><ul>"
            );
        }

        fn close(&mut self, left_out: usize) {
            if left_out > 0 {
                let _ = write!(
                    self.out,
                    "<li><span class=\"c-dim\">… {left_out} more, see the text as received</span></li>"
                );
            }
            self.out.push_str("</ul></details></li>");
        }

        fn leaf(&mut self, key: Option<&str>, class: &str, text: &str) {
            self.out.push_str("<li><span>");
            self.key(key);
            let _ = write!(self.out, "<span class=\"{class}\">");
            self.out.push_str(&escape(text));
            self.out.push_str("</span></span></li>");
        }

        fn key(&mut self, key: Option<&str>) {
            if let Some(key) = key {
                self.out.push_str("<span class=\"c-key\">");
                self.out.push_str(&escape(key));
                self.out.push_str("</span><span class=\"c-dim\">:</span> ");
            }
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;
        use serde_json::json;

        fn json_tree(value: &Value, max_nodes: usize) -> Html {
            let value = serde_json::from_str(&value.to_string()).expect("a payload");
            super::json_tree(&value, max_nodes)
        }

        #[test]
        fn keys_and_values_cannot_break_out_of_the_tree() {
            let value = json!({ "<script>alert(1)</script>": "\"><img src=x onerror=alert(2)>" });
            let html = json_tree(&value, 100).into_inner();
            assert!(!html.contains("<script") && !html.contains("<img"), "{html}");
            assert!(html.contains("&lt;script&gt;"), "{html}");
        }

        #[test]
        fn containers_fold_and_say_how_much_they_hold() {
            let html = json_tree(&json!({ "lines": [1, 2], "none": [] }), 100).into_inner();
            assert!(
                html.contains("<details open>") && html.contains(" 2 items ]"),
                "{html}"
            );
            assert!(html.contains("<span class=\"c-lit\">[]</span>"), "{html}");
        }

        #[test]
        fn a_large_payload_is_cut_and_what_is_left_out_is_counted() {
            let list: Vec<u32> = (0..500).collect();
            let html = json_tree(&json!(list), 100).into_inner();
            assert!(html.contains("… 401 more"), "{html}");
            assert_eq!(html.matches("<li>").count(), 101);
        }
    }
}
