/* What the sixth argument of a call holds when the shim itself makes it. */
#ifndef PASS_H
#define PASS_H

#define PASS 0x2d63757470776f72L

#endif
