//! Methods in `match`: an open set, with a warning for what looks mistyped.

use raincheck_config::{Finding, Overrides, load};

#[test]
fn a_method_that_is_nearly_a_known_one_is_told() {
    let told = |pattern: &str| {
        let text =
            format!("[[route]]\nname = \"r\"\nmatch = {pattern:?}\nupstream = \"http://b\"\n");
        let plan = load(Some(("f", &text)), [], &Overrides::default());
        let warnings = plan.map(|plan| plan.warnings);
        let warnings = warnings.unwrap_or_else(|errors| panic!("{pattern}: {errors:?}"));
        let near = |finding: &Finding| finding.nearest_known().map(str::to_owned);
        warnings.iter().filter_map(near).collect::<Vec<_>>()
    };
    assert_eq!(told("PSOT /a"), ["POST"]);
    assert_eq!(told("GET,DELTE /a"), ["DELETE"]);
    for fine in ["/a", "GET,POST /a", "PROPFIND /a", "PURGE /a", "BREW /a"] {
        assert_eq!(told(fine), [""; 0], "{fine}");
    }
}
