//! What a rules' answer must keep: lengths, ranges, no NaN, no infinities. An answer that does not is a
//! broken contract, with the place named; nothing of it is used.
