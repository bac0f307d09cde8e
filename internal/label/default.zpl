^XA
^FX A label of 50 x 25 mm at 203 dots an inch (8 dots a mm): 400 x 200 dots.
^FX Positions and sizes are in dots, from the upper left corner.
^FX XA starts a label, XZ ends it. FX is a comment. CI28: text is UTF-8.
^FX PW is the width of the label, LL its length, LH0,0 where positions count from.
^CI28
^PW400
^LL200
^LH0,0
^FX FO is where a field stands: x, y. FD is what it shows, FS ends it.
^FX BX is a Data Matrix: upright, 5 dots a module, quality 200 (the one in use today).
^FX Its size follows from the data: 18 modules for 16 characters, 26 for 40.
^FO16,12^BXN,5,200^FD{serial}^FS
^FX A0 is the scalable font: upright, height, width.
^FO168,16^A0N,26,24^FD{product}^FS
^FO168,50^A0N,22,20^FD{version}^FS
^FO168,82^A0N,20,18^FDMAC {mac}^FS
^FO168,116^A0N,30,30^FD{copy}^FS
^FO16,160^A0N,28,26^FD{serial}^FS
^XZ
