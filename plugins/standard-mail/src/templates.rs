//! The template files of one kind of mail.

use std::collections::BTreeMap;

use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior, Value};
use usher_plugin::types::RenderError;

use crate::kinds::one_line;

/// The template files of one kind of mail.
pub struct Templates<F> {
    kind: &'static str,
    file: F,
}

impl<F: Fn(&str) -> Option<String> + Send + Sync + 'static> Templates<F> {
    /// The templates of a kind, which `file` finds by name.
    pub fn new(kind: &'static str, file: F) -> Self {
        Self { kind, file }
    }
}

impl<F: Fn(&str) -> Option<String> + Clone + Send + Sync + 'static> Templates<F> {
    /// The subject and the text of the mail. A subject of the settings goes before the template's.
    pub fn text(
        &self,
        subject: Option<&str>,
        values: &BTreeMap<String, Value>,
    ) -> Result<(String, String), RenderError> {
        let name = format!("{}.txt", self.kind);
        let Some(source) = (self.file)(&name) else {
            return Err(RenderError {
                place: name,
                reason: "there is no such file in the folder that `files` names for this plugin".to_owned(),
            });
        };
        let (in_file, body) = split_subject(&source);
        let (place, subject) = match (subject, in_file) {
            (Some(subject), _) => (format!("{}.subject", self.kind), subject),
            (None, Some(subject)) => (name.clone(), subject),
            (None, None) => {
                return Err(RenderError {
                    place: name,
                    reason: format!(
                        "no subject: begin the file with a line `Subject: …`, or set `{}.subject`",
                        self.kind
                    ),
                });
            }
        };
        let subject = one_line(&self.render(&place, subject, values)?);
        if subject.is_empty() {
            return Err(RenderError { place, reason: "the subject is blank".to_owned() });
        }
        let text = self.render(&name, &body, values)?;
        Ok((subject, format!("{}\n", text.trim_matches('\n').trim_end())))
    }

    /// The HTML of the mail, where the kind has a template for it.
    pub fn html(&self, values: &BTreeMap<String, Value>) -> Result<Option<String>, RenderError> {
        let name = format!("{}.html", self.kind);
        (self.file)(&name).map(|source| self.render(&name, &source, values)).transpose()
    }

    fn render(
        &self,
        name: &str,
        source: &str,
        values: &BTreeMap<String, Value>,
    ) -> Result<String, RenderError> {
        let environment = environment(self.file.clone());
        environment
            .render_named_str(name, &source.replace("\r\n", "\n"), Value::from(values.clone()))
            .map_err(|error| explain(name, &error))
    }
}

fn environment(file: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Environment<'static> {
    let mut environment = Environment::new();
    // A misspelt placeholder must not turn into a gap in somebody's mail.
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|name| {
        if name.ends_with(".html") { AutoEscape::Html } else { AutoEscape::None }
    });
    // A line that only holds a tag leaves no blank line behind.
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    environment.set_syntax(syntax.expect("the default delimiters are valid"));
    environment.set_loader(move |name| Ok(file(name).map(|source| source.replace("\r\n", "\n"))));
    environment
}

/// Parts the first line, if it is the subject, from the rest. The rest keeps as many lines before it as were
/// taken off, so that the engine's line numbers are the file's.
fn split_subject(source: &str) -> (Option<&str>, String) {
    let source = source.strip_prefix('\u{feff}').unwrap_or(source);
    let (first, rest) = source.split_once('\n').unwrap_or((source, ""));
    match first.split_at_checked("subject:".len()) {
        Some((name, subject)) if name.eq_ignore_ascii_case("subject:") => {
            (Some(subject.trim()), format!("\n{rest}"))
        }
        _ => (None, source.to_owned()),
    }
}

/// The error in words for the operator. Details are given only of errors whose details come from the
/// template: those of others may quote values, which may be links with tokens.
fn explain(name: &str, error: &Error) -> RenderError {
    let place = match (error.name().unwrap_or(name), error.line()) {
        (file, Some(line)) => format!("{file}, line {line}"),
        (file, None) => file.to_owned(),
    };
    let from_template = matches!(
        error.kind(),
        ErrorKind::SyntaxError
            | ErrorKind::TemplateNotFound
            | ErrorKind::UndefinedError
            | ErrorKind::UnknownBlock
            | ErrorKind::UnknownFilter
            | ErrorKind::UnknownFunction
            | ErrorKind::UnknownMethod
            | ErrorKind::UnknownTest
    );
    let mut reason = match error.detail().filter(|_| from_template) {
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    };
    if error.kind() == ErrorKind::UndefinedError {
        reason.push_str(
            "; a placeholder has to be one of the mail's own, or a value in the plugin's settings (where it may be \
             missing, write `{% if name is defined %}`)",
        );
    }
    RenderError { place, reason }
}
