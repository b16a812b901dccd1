// Command benchmarks measures, on a control plane of its own, how long Roster takes to bring many users into many
// namespaces, beside a client that writes the same RBAC RoleBindings by itself as fast as it can, and prints one table.
//
// Both write turn about, in the same run and with the same watchers, so the ratio of their times says what Roster costs,
// whatever the machine. What misses its goal is said; only what is broken ends the command with an error.
package main
