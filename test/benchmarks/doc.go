// Command benchmarks measures, on control planes of its own, what Roster costs, and prints three tables.
//
// The first says how long Roster takes to bring many users into many namespaces, beside a client that writes the same RBAC
// RoleBindings by itself as fast as it can. Both write turn about, in the same run and with the same watchers, so the ratio
// of their times says what Roster costs, whatever the machine. The second says what the webhook adds to a write in a large
// organization: the same requests with it and without it, turn about. The third says how long a viewer waits for the
// members of that organization, chunk by chunk. What misses its goal is said; only what is broken ends the command with an
// error.
package main
