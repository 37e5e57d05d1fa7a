//! The keys of a table in `listen`.

use super::super::{
    Fallback::{Is, Required},
    Key, Kind, SectionName,
};

pub(super) const KEYS: &[Key] = &[
    Key {
        section: SectionName::Listener,
        name: "address",
        kind: Kind::Address,
        default: Required {
            example: r#""0.0.0.0:8443""#,
        },
        since: "0.1.0",
        doc: "Where it is: an IP address and a port, the path of a Unix socket, or a socket that \
              was passed on by systemd, by name (`FileDescriptorName`) or number.",
    },
    Key {
        section: SectionName::Listener,
        name: "mode",
        kind: Kind::FileMode,
        default: Is(r#""0660""#),
        since: "0.1.0",
        doc: "The permissions of a Unix socket's file: who may write to it may connect.",
    },
];
