//! What a scenario may say of a service: `${service.NAME.url}` and `${service.NAME.directory}`.

use super::Service;

/// What each reference stands for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct References(Vec<(String, String)>);

impl References {
    /// Adds what can be said of a service.
    pub fn add(&mut self, service: &Service) {
        // Where there is no directory no trial starts, so what it stands for does not matter.
        let directory = service.directory().map(|path| path.display().to_string()).unwrap_or_default();
        self.0.push((format!("${{service.{}.directory}}", service.name), directory));
        self.0.extend(service.url().map(|url| (format!("${{service.{}.url}}", service.name), url)));
    }

    /// The text with every reference replaced.
    pub fn fill(&self, text: &str) -> String {
        let fill = |text: String, (reference, value): &(String, String)| text.replace(reference.as_str(), value);
        self.0.iter().fold(text.to_owned(), fill)
    }

    /// Words with every reference replaced.
    pub fn fill_all(&self, words: &[String]) -> Vec<String> {
        words.iter().map(|word| self.fill(word)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reference_is_replaced() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let known = References(vec![pair("${service.db.url}", "URL"), pair("${service.db.directory}", "/d")]);
        assert_eq!(known.fill("a=${service.db.url} b=${service.db.directory}/x ${HOME}"), "a=URL b=/d/x ${HOME}");
    }
}
