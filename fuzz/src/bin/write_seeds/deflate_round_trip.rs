//! Messages under wishes for compression. The tests of the target say what the seeds have in them.

use sockless_fuzz::operations::counted;

pub(crate) fn seeds(add: &mut impl FnMut(&'static str, &str, Vec<u8>)) {
    // Level, memory level, least size, windows from 8 on, takeover, chunks, codecs lent.
    let keeping = [6, 8, 5, 7, 7, 1, 1, 0, 0];
    let lending = [1, 1, 0, 1, 2, 0, 0, 0, 1];
    let chunks = [4, 9, 20, 4, 7, 1, 0, 1, 0];
    // Who sends, compressed or not, how often the data is in it, where it is cut, the data.
    let message = |from_client: bool, compressed: bool, times: u8, cuts: [u16; 3], data: &[u8]| {
        let mut bytes = vec![u8::from(from_client), u8::from(compressed), times];
        bytes.extend(cuts.iter().flat_map(|cut| cut.to_le_bytes()));
        bytes.extend(counted(data));
        bytes
    };
    let whole = [0; 3];
    let talk = [
        message(true, true, 30, whole, b"the same again, "),
        message(false, true, 30, whole, b"the same again, "),
        message(true, false, 1, whole, b"not compressed"),
        message(
            true,
            true,
            2,
            [0x2000, 0x8000, 0xf000],
            b"the same again, in parts, ",
        ),
        message(false, true, 39, [0x8000, 0, 0], &crate::noise(100, 5)),
        message(false, false, 1, [0x100, 0x200, 0], b""),
    ]
    .concat();
    for (name, server, client, sizes) in [
        ("kept", keeping, keeping, [0, 0, 0]),
        ("lent", lending, lending, [1000, 0, 3]),
        ("mixed", chunks, lending, [200, 7, 5000]),
        ("chunks", keeping, chunks, [4096, 1, 0]),
    ] {
        let sizes = sizes.map(u16::to_le_bytes).concat();
        add(
            "deflate_round_trip",
            name,
            [&server[..], &client, &sizes, &talk].concat(),
        );
    }
}
