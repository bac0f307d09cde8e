// Package virtual knows how a label printer on the network behaves: it takes ZPL,
// keeps the labels that would have come out, says how it is, and can be out of paper,
// hang, or refuse. It is for tests: the labels of the demo and of the training need no
// printer.
//
// It does not draw labels, and knows nothing of what is on them.
package virtual
