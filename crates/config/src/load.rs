//! All of it: file, variables and flags -> a Plan, or everything that is wrong.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::error::{Document, DocumentKind, Errors, Findings, Severity};
use crate::keys::SectionName;
use crate::plan::Plan;
use crate::section::{Section, check_top};
use crate::source::{self, Overrides};
use crate::tree::Table;
use crate::{check, file, route, server, upstream, webhooks};

/// Makes a plan of a file (its path, for messages, and its text), variables and flags.
///
/// `environment` may be the whole environment: only names that begin with `RAINCHECK_` set keys,
/// the others serve `${NAME}` in the file. All mistakes are found at once; what is odd but usable
/// is in [`Plan::warnings`].
pub fn load(
    text: Option<(&str, &str)>,
    environment: impl IntoIterator<Item = (String, String)>,
    overrides: &Overrides,
) -> Result<Plan, Errors> {
    let environment: BTreeMap<String, String> = environment.into_iter().collect();
    let mut findings = Findings::default();
    let mut root = Table::default();
    if let Some((path, text)) = text {
        let (name, text) = (path.to_owned(), text.to_owned());
        let document = Arc::new(Document {
            kind: DocumentKind::File,
            name,
            text,
        });
        root = file::parse(&document, &environment, &mut findings);
    }
    check_top(&root, &mut findings);
    let for_all = source::overlay(&mut root, &environment, overrides, &mut findings);
    let plan = read(&root, &for_all, &mut findings);

    let findings = findings.finish();
    if findings
        .iter()
        .any(|finding| finding.severity() == Severity::Error)
    {
        return Err(Errors::new(findings));
    }
    Ok(Plan {
        warnings: findings,
        ..plan
    })
}

fn read(root: &Table, for_all: &Table, findings: &mut Findings) -> Plan {
    let server =
        server::Written::read(&Section::top(SectionName::Server, root, findings), findings);
    let admin = server::admin(&Section::top(SectionName::Admin, root, findings), findings);
    let store = server::store(&Section::top(SectionName::Store, root, findings), findings);
    let log = server::log(&Section::top(SectionName::Log, root, findings), findings);
    let limits = server::limits(&Section::top(SectionName::Limits, root, findings), findings);
    let top = Section::top(SectionName::Webhooks, root, findings);
    let webhooks = webhooks::read(&top, findings);
    let upstreams = upstream::read(root, findings);
    let routes = route::read(root, for_all, findings);
    upstreams.check(&routes, findings);
    check::all(&server, &admin, &webhooks, &routes, &upstreams, findings);
    Plan {
        admin: server::resolve_admin(&admin),
        store,
        log,
        limits,
        webhooks,
        routes: routes
            .into_iter()
            .filter_map(|written| written.resolve(server.behind(), &upstreams))
            .collect(),
        server: server.resolve(),
        warnings: Vec::new(),
    }
}
