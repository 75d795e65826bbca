//! One field of a form: label, control, error, help, in this order.

use leptos::prelude::*;

use super::{form::Form, icon::icon};

/// What kind of control a field has.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Control {
    Input(&'static str),
    Area(u8),
    Choice(Vec<(String, String)>),
}

/// A field under construction; [`Field::view`] ends it.
#[expect(clippy::struct_excessive_bools, reason = "independent traits of one field")]
pub struct Field {
    form: Form,
    name: &'static str,
    label: String,
    control: Control,
    value: String,
    help: String,
    placeholder: &'static str,
    suffix: &'static str,
    width: &'static str,
    autocomplete: &'static str,
    pattern: Option<String>,
    required: bool,
    optional: bool,
    mono: bool,
    fixed: bool,
    nested: bool,
}

impl Field {
    /// A line of text called `name`, sent as `form[name]`.
    pub fn text(form: Form, name: &'static str, label: impl Into<String>) -> Self {
        Self {
            form,
            name,
            label: label.into(),
            control: Control::Input("text"),
            value: String::new(),
            help: String::new(),
            placeholder: "",
            suffix: "",
            width: "",
            autocomplete: "off",
            pattern: None,
            required: false,
            optional: false,
            mono: false,
            fixed: false,
            nested: true,
        }
    }

    /// An address.
    pub fn url(form: Form, name: &'static str, label: impl Into<String>) -> Self {
        Self {
            control: Control::Input("url"),
            ..Self::text(form, name, label)
        }
    }

    /// An email address.
    pub fn email(form: Form, name: &'static str, label: impl Into<String>) -> Self {
        Self {
            control: Control::Input("email"),
            ..Self::text(form, name, label)
        }
    }

    /// A secret.
    pub fn password(form: Form, name: &'static str, label: impl Into<String>) -> Self {
        Self {
            control: Control::Input("password"),
            ..Self::text(form, name, label)
        }
    }

    /// A whole number.
    pub fn number(form: Form, name: &'static str, label: impl Into<String>) -> Self {
        Self {
            control: Control::Input("number"),
            width: "w-num",
            ..Self::text(form, name, label)
        }
    }

    /// Several lines.
    pub fn area(form: Form, name: &'static str, label: impl Into<String>, rows: u8) -> Self {
        Self {
            control: Control::Area(rows),
            ..Self::text(form, name, label)
        }
    }

    /// One of several values, each with the word a person reads.
    pub fn choice(
        form: Form,
        name: &'static str,
        label: impl Into<String>,
        options: Vec<(String, String)>,
    ) -> Self {
        Self {
            control: Control::Choice(options),
            ..Self::text(form, name, label)
        }
    }

    /// Sends it as `name` instead of `form[name]`.
    #[must_use]
    pub fn flat(self) -> Self {
        Self {
            nested: false,
            ..self
        }
    }

    /// What stands in it at first.
    #[must_use]
    pub fn value(self, value: impl Into<String>) -> Self {
        Self {
            value: value.into(),
            ..self
        }
    }

    /// The line below it: range, consequence, where else it can be set.
    #[must_use]
    pub fn help(self, help: impl Into<String>) -> Self {
        Self {
            help: help.into(),
            ..self
        }
    }

    /// An example inside the empty control.
    #[must_use]
    pub fn placeholder(self, placeholder: &'static str) -> Self {
        Self { placeholder, ..self }
    }

    /// The unit behind it.
    #[must_use]
    pub fn suffix(self, suffix: &'static str) -> Self {
        Self { suffix, ..self }
    }

    /// A width class: `w-s`, `w-m`, `w-l`.
    #[must_use]
    pub fn width(self, width: &'static str) -> Self {
        Self { width, ..self }
    }

    /// What browsers may fill in.
    #[must_use]
    pub fn autocomplete(self, autocomplete: &'static str) -> Self {
        Self { autocomplete, ..self }
    }

    /// A regular expression the value has to match.
    #[must_use]
    pub fn pattern(self, pattern: String) -> Self {
        Self {
            pattern: Some(pattern),
            ..self
        }
    }

    /// Must be filled in.
    #[must_use]
    pub fn required(self) -> Self {
        Self {
            required: true,
            ..self
        }
    }

    /// May stay empty, and says so.
    #[must_use]
    pub fn optional(self) -> Self {
        Self {
            optional: true,
            ..self
        }
    }

    /// Shown in the fixed-width face.
    #[must_use]
    pub fn mono(self) -> Self {
        Self { mono: true, ..self }
    }

    /// Shown but not to be changed here, when `fixed`.
    #[must_use]
    pub fn fixed(self, fixed: bool) -> Self {
        Self { fixed, ..self }
    }

    /// The field.
    pub fn view(self) -> AnyView {
        let id = self.form.field_id(self.name);
        let label = self.label.clone();
        let optional = self
            .optional
            .then(|| view! { " "<span class="opt">"optional"</span> });
        let error = error(self.form, self.name, format!("{id}-err"));
        let help = (!self.help.is_empty())
            .then(|| view! { <p class="help" id=format!("{id}-help")>{self.help.clone()}</p> });
        let for_id = id.clone();
        view! {
            <div class="field">
                <label for=for_id>{label}{optional}</label>
                {self.control(id)}
                {error}
                {help}
            </div>
        }
        .into_any()
    }

    fn control(self, id: String) -> AnyView {
        let (form, name) = (self.form, self.name);
        let help_id = (!self.help.is_empty()).then(|| format!("{id}-help"));
        let error_id = format!("{id}-err");
        let invalid = move || form.error_of(name).is_some().then_some("true");
        let described = move || {
            let error_id = form.error_of(name).is_some().then_some(error_id.clone());
            let ids = [help_id.clone(), error_id]
                .into_iter()
                .flatten()
                .collect::<Vec<_>>()
                .join(" ");
            (!ids.is_empty()).then_some(ids)
        };
        let sent_as = if self.nested {
            format!("form[{name}]")
        } else {
            name.to_owned()
        };
        let face = if self.mono { "mono" } else { "" };
        let placeholder = (!self.placeholder.is_empty()).then_some(self.placeholder);
        let (required, fixed) = (self.required, self.fixed);
        match self.control {
            Control::Input(kind) => {
                let class = format!("input {face} {}", self.width);
                let mode = (kind == "number").then_some("numeric");
                let spell = (self.mono || kind == "password").then_some("false");
                let input = view! {
                    <input id=id name=sent_as type=kind class=class value=self.value placeholder=placeholder pattern=self.pattern
                        inputmode=mode autocomplete=self.autocomplete spellcheck=spell required=required readonly=fixed
                        aria-invalid=invalid aria-describedby=described />
                };
                if self.suffix.is_empty() {
                    input.into_any()
                } else {
                    view! { <span class="affix w-m">{input}<span>{self.suffix}</span></span> }.into_any()
                }
            }
            Control::Area(rows) => view! {
                <textarea id=id name=sent_as class=format!("textarea {face} {}", self.width) rows=rows.to_string() placeholder=placeholder
                    spellcheck="false" required=required aria-invalid=invalid aria-describedby=described>{self.value}</textarea>
            }
            .into_any(),
            Control::Choice(options) => {
                let chosen = self.value;
                let options = options
                    .into_iter()
                    .map(|(value, word)| {
                        let selected = value == chosen;
                        view! { <option value=value selected=selected>{word}</option> }.into_any()
                    })
                    .collect::<Vec<_>>();
                view! {
                    <select id=id name=sent_as class=format!("select {}", self.width) required=required disabled=fixed aria-invalid=invalid aria-describedby=described>
                        {options}
                    </select>
                }
                .into_any()
            }
        }
    }
}

/// What is wrong with the field called `name`, below controls that are no [`Field`].
pub fn error(form: Form, name: &'static str, id: String) -> AnyView {
    (move || {
        form.error_of(name).map(|error| {
            let text = if error.detail.is_empty() {
                error.reason.text().to_owned()
            } else {
                error.detail
            };
            view! { <p class="error" id=id.clone()>{icon("warn")}<span>{text}</span></p> }
        })
    })
    .into_any()
}

/// A check box with words and, below them, what it does.
pub fn check(name: &'static str, label: &'static str, help: &'static str, checked: bool) -> AnyView {
    view! {
        <label class="check">
            <input type="checkbox" name=format!("form[{name}]") value="true" checked=checked />
            <span>{label}{(!help.is_empty()).then(|| view! { <span class="help">{help}</span> })}</span>
        </label>
    }
    .into_any()
}

/// One of a few values, each as a card with its meaning.
pub fn choices(
    name: &'static str,
    legend: &'static str,
    chosen: &str,
    options: &[(&'static str, &'static str, &'static str)],
) -> AnyView {
    let cards = options
        .iter()
        .map(|&(value, word, help)| {
            view! {
                <label class="choice">
                    <input type="radio" name=format!("form[{name}]") value=value checked=value == chosen />
                    <b>{word}</b>
                    <span class="help">{help}</span>
                </label>
            }
            .into_any()
        })
        .collect::<Vec<_>>();
    view! { <fieldset class="choices"><legend class="label">{legend}</legend>{cards}</fieldset> }.into_any()
}

/// One row of a settings page: what it is on the left, the controls on the right.
pub fn set(id: &'static str, title: &'static str, text: &'static str, controls: AnyView) -> AnyView {
    view! {
        <section class="set" aria-labelledby=id>
            <div class="set-text"><h2 id=id>{title}</h2><p>{text}</p></div>
            <div class="set-ctl">{controls}</div>
        </section>
    }
    .into_any()
}
