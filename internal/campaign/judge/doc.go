// Package judge says whether what must always hold of units does hold (I1 to I7
// of docs/order.md), from the outside: it reads the rows of the records and the true
// fuses and flash of the virtual chip, and nothing else.
//
// The rows come from the database by queries of its own, or from package memory as
// they are kept there: everything that follows from them is found out here.
//
// It shares no code with what it judges: not the flow, not the planner or the
// fuse tables, not the records' own queries. What a fuse means is written out here
// once more. It opens sealed keys, for only so can it tell that they can be opened.
package judge
