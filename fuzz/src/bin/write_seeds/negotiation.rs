//! Offers and answers (RFC 6455 section 9.1, RFC 7692 section 7.1).

/// A name; choices, the wishes of the client and the server; what the values are, and those.
type Row = (
    &'static str,
    u8,
    [u8; 2],
    [u8; 2],
    u8,
    &'static [&'static str],
);

/// What both sides want, then header values: see `negotiation::Input::parse`.
pub(crate) fn seeds(add: &mut impl FnMut(&'static str, &str, Vec<u8>)) {
    const EXTENSION: u8 = 0;
    const SUBPROTOCOL: u8 = 1;
    const OFFERED: u8 = 2;
    // Windows of 15 bits and takeover; the smallest windows and none.
    const DEFAULT: [u8; 2] = [0x11, 0];
    const SMALL: [u8; 2] = [0x77, 3];
    // Without `client_max_window_bits` in the offer.
    const BARE: [u8; 2] = [0x71, 4];
    let (both, none, required, names) = (3, 0, 4, 0x78);
    let rows: &[Row] = &[
        ("both_default", both, DEFAULT, DEFAULT, EXTENSION, &[]),
        ("both_small", both, SMALL, SMALL, EXTENSION, &[]),
        ("small_client", both, SMALL, DEFAULT, EXTENSION, &[]),
        ("small_server", both, DEFAULT, SMALL, EXTENSION, &[]),
        ("bare_client", both, BARE, DEFAULT, EXTENSION, &[]),
        ("bare_small_server", both, BARE, SMALL, EXTENSION, &[]),
        (
            "not_offered",
            both,
            BARE,
            DEFAULT,
            EXTENSION,
            &["permessage-deflate; client_max_window_bits=9"],
        ),
        (
            "empty_line",
            both,
            DEFAULT,
            DEFAULT,
            EXTENSION,
            &["", "permessage-deflate", ","],
        ),
        (
            "names",
            names,
            DEFAULT,
            DEFAULT,
            SUBPROTOCOL,
            &["other, chat", "superchat"],
        ),
        (
            "names_twice",
            names,
            DEFAULT,
            DEFAULT,
            SUBPROTOCOL,
            &["chat,, chat"],
        ),
        ("names_none", required, DEFAULT, DEFAULT, SUBPROTOCOL, &[]),
        ("names_empty", none, DEFAULT, DEFAULT, SUBPROTOCOL, &[","]),
        ("name_no_token", none, DEFAULT, DEFAULT, OFFERED, &["a b"]),
        (
            "bare",
            both,
            DEFAULT,
            SMALL,
            EXTENSION,
            &["permessage-deflate"],
        ),
        (
            "fallback",
            both,
            DEFAULT,
            SMALL,
            EXTENSION,
            &[
                "permessage-deflate; server_max_window_bits=8, permessage-deflate; client_max_window_bits",
            ],
        ),
        (
            "all_parameters",
            both,
            SMALL,
            DEFAULT,
            EXTENSION,
            &[
                "permessage-deflate; server_no_context_takeover; client_no_context_takeover; \
               server_max_window_bits=9; client_max_window_bits=9",
            ],
        ),
        (
            "quoted",
            both,
            DEFAULT,
            DEFAULT,
            EXTENSION,
            &["permessage-deflate; server_max_window_bits=\"1\\0\""],
        ),
        (
            "client_window_8",
            both,
            DEFAULT,
            DEFAULT,
            EXTENSION,
            &["permessage-deflate; client_max_window_bits=8"],
        ),
        (
            "leading_zero",
            both,
            DEFAULT,
            DEFAULT,
            EXTENSION,
            &["permessage-deflate; server_max_window_bits=010"],
        ),
        (
            "twice_a_parameter",
            both,
            DEFAULT,
            DEFAULT,
            EXTENSION,
            &["permessage-deflate; client_no_context_takeover; client_no_context_takeover"],
        ),
        (
            "others",
            both,
            DEFAULT,
            DEFAULT,
            EXTENSION,
            &["x-other; a=b; c", "permessage-deflate"],
        ),
        (
            "twice",
            both,
            DEFAULT,
            DEFAULT,
            EXTENSION,
            &["permessage-deflate", "permessage-deflate"],
        ),
        ("no_list", both, DEFAULT, DEFAULT, EXTENSION, &[" , "]),
        (
            "malformed",
            both,
            DEFAULT,
            DEFAULT,
            EXTENSION,
            &["permessage-deflate; =8"],
        ),
    ];
    for (name, choices, client, server, kind, values) in rows {
        let mut seed = [&[*choices][..], client, server].concat();
        for value in *values {
            seed.extend([*kind, value.len() as u8]);
            seed.extend_from_slice(value.as_bytes());
        }
        add("negotiation", name, seed);
    }
}
