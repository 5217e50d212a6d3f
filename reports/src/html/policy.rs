//! Style, script and the policy that lets no other run.
//!
//! The hashes are constants, so that writing a page computes none; a test holds them to the
//! two files.

use super::markup::Html;

/// All that the page looks like.
const STYLE: &str = include_str!("page.css");
/// The copy buttons, and nothing else.
const SCRIPT: &str = include_str!("page.js");

macro_rules! hashes {
    ($style:literal, $script:literal) => {
        /// Base64 of the SHA-256 of the style and of the script.
        #[cfg(test)]
        pub(super) const HASHES: [(&str, &str); 2] = [(STYLE, $style), (SCRIPT, $script)];

        const POLICY: &str = concat!(
            "default-src 'none'; style-src 'sha256-",
            $style,
            "'; script-src 'sha256-",
            $script,
            "'; img-src data:; base-uri 'none'; form-action 'none'"
        );
    };
}

hashes!("+NSRWhlYrDxez3aR1jY9xY4sejSrSINjaiBtWmbCckg=", "gTgOB7Bi7JuVz7/WqPx1hUNlzBWANnFExbrV9ml93Ag=");

/// The policy, before anything that it is about.
pub(super) fn head(page: &mut Html) {
    page.raw("<meta http-equiv=\"Content-Security-Policy\" content=\"").raw(POLICY).raw("\">\n");
    page.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    page.raw("<meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"referrer\" content=\"no-referrer\">\n");
    // Without it a browser may ask the server of the page for an icon.
    page.raw("<link rel=\"icon\" href=\"data:,\">\n");
}

/// The style.
pub(super) fn style(page: &mut Html) {
    page.raw("<style>").raw(STYLE).raw("</style>\n");
}

/// The script, after everything that it is about.
pub(super) fn script(page: &mut Html) {
    page.raw("<script>").raw(SCRIPT).raw("</script>\n");
}
