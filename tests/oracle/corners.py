"""Small protocols, each about what is easily got wrong, for the comparison of the three semantics."""

CORNERS = {
    "local code after a step, before a choice, and at the start of a branch": """
        shared int(0..9) n = 0;
        thread t {
            int(0..9) x = 1;
            x += 1;
            step a { n = x; }
            x += 1;
            choose { x += 1; step b { n = x; }
                  or x = 0; if (x == 0) { step c { n += 1; } } else { step d {} } }
            x += 1;
            step e { n = x; }
        }""",
    "locals of nested blocks are reset on every way out": """
        shared int(0..9) n = 0;
        thread t {
            int(0..3) rounds = 0;
            loop {
                int(0..9) x;
                step a { n = x; x = 3; }
                rounds += 1;
                if (rounds == 1) { continue; }
                bool y = true;
                step b { if (y) { x += 1; y = false; } }
                if (rounds == 3) { break; }
            }
            step c { n = 9; }
        }""",
    "return out of a procedure, a for each and a loop": """
        index node[2];
        shared set<node> seen = {};
        shared int(0..5) n = 0;
        proc visit(node v, bool early) {
            int(0..3) k = 1;
            step mark { seen += v; n += k; }
            if (early) { return; }
            k += 1;
            step again { n += k; }
        }
        thread t {
            bool early = false;
            for each v in node {
                bool both = true;
                loop {
                    visit(v, both);
                    if (!both) { break; }
                    both = false;
                    step turn { maybe { n = 0; } }
                    step tell { early = n == 0; }
                    if (early) { return; }
                }
            }
            step done {}
        }""",
    "for each over ordered and unordered types, with break and continue": """
        index node[2]; slot memslot[3]; enum Colour { RED, GREEN }
        shared int(0..9) n = 0;
        shared memslot last_one = first(memslot);
        thread t {
            for each c in Colour {
                for each s in memslot {
                    bool skip;
                    step look { skip = s == first(memslot); last_one = s; }
                    if (skip) { continue; }
                    if (c == GREEN) { break; }
                    step add { n += 1; }
                }
            }
            for each w in thread { step hail when w != self || n == 2 {} }
            for each v in node { step leave { n += 1; } }
        }
        thread other[v in node] { step run {} }""",
    "a choice at the end of a thread, nested choices, an empty branch": """
        shared bool a = false; shared bool b = false;
        thread t {
            choose { choose { step one { a = true; } or } step two { b = true; }
                  or maybe { step three when b {} } }
            maybe { idle step four when a {} }
        }
        claim ended: t at end -> a || b;""",
    "old in a step, in an op, in an op of an op, under a for all": """
        index node[2];
        shared int(0..9) n = 1;
        shared int(0..9) each_one[node] = 0;
        op inner(int(0..9) more) -> int(0..9) { n += more; return old(n); }
        op outer() -> int(0..9) { n += 1; int(0..9) got = inner(old(n)); n += 1; return got + old(n); }
        thread t {
            int(0..18) got = 0;
            step a { n = 2; got = outer(); n = n - old(n); }
            step b { for all v in node { each_one[v] = n; } n = 0; each_one[node#1] = old(n); }
            step c { n = 1; for all v in node { each_one[v] = old(n); } }
        }
        claim c: after t.a: n == old(n) + 4;""",
    "the first undefined action counts, before an assumption and a havoc": """
        shared int(0..2)? x = none;
        shared int(0..2) y = 0;
        thread t {
            step a { choose { y = 3 + y; assume no: false; or assume later: y == 0; y = x; } }
            step b { havoc y where y > x; }
        }
        rule fill when x == none { x = 1; }""",
    "a when, an argument and local code that are undefined": """
        shared int(0..2)? x = none;
        shared int(0..2) y = 0;
        op wait_for(int(0..2) k) when y == k { y = 2; }
        thread t { step a when y == 1, x == 1 { } }
        thread u { step b { wait_for(x); } }
        thread w { int(0..2) k = 2; choose { k += 1; step c when false {} or step d { k = 0; } } }
        rule bump when y < 2 { y += 1; }""",
    "returns in an if": """
        shared int(0..3) n = 0;
        op take(bool hurry) -> int(0..3) when n < 3 {
            if (hurry) { n = 3; return old(n); }
            n += 1;
            if (n == 2) { return 0; } else { return n; }
        }
        thread t { int(0..3) got = 0; step a { got = take(true); } }
        thread u { int(0..3) got = 0; loop { step b { got = take(false); } } }""",
    "edges of machines: undeclared, by their owner, by a family, in a for all": """
        index node[2];
        machine Spte {
            NONE -> LIVE : map; LIVE -> FROZEN : freeze; FROZEN -> NONE : unmap by t; LIVE -> LIVE : up by u;
        }
        shared Spte pt[node] = NONE;
        thread t { step map { for all v in node { if (pt[v] == NONE) { pt[v] = LIVE; } } }
                   loop { step go[v in node] when pt[v] == LIVE { pt[v] = FROZEN; } } }
        thread u { loop { choose { step unmap[v in node] when pt[v] == FROZEN { pt[v] = NONE; }
                              or step up[v in node] { pt[v] = LIVE; }
                              or step two[v in node] when pt[v] == LIVE {
                                  pt[v] = FROZEN; pt[v] = NONE; } } } }""",
    "edges by their owner": """
        index node[2];
        machine Spte { NONE -> LIVE : map; LIVE -> NONE : unmap by owner; }
        shared Spte pt[node] = NONE;
        thread t[v in node] { loop { choose {
            step map[w in node] when pt[w] == NONE { pt[w] = LIVE; }
            or step unmap[w in node] when pt[w] == LIVE { pt[w] = NONE; } } } }""",
    "words wrap around": """
        shared u8 w = 250; shared u16 x = 1;
        thread t {
            step add { w += 10; }
            step sub { w -= 5; x = trunc16(to_int(w)) * 300; }
            step shift { w = w << 7 | w >> 1; x = ~x ^ 3; }
            step negate { w = -w; x = align_up(x, 16); }
            step far { w = w << 8; x = x << 20; }
        }
        reach low: w == 4;""",
    "libraries: arrays of instances, instances in instances, what an instance gives": """
        type lock {
            shared thread? owner = none;
            hold held = owner == self;
            fn free() -> bool = owner == none;
            op take() acquires held when free() { owner = self; }
            op give() releases held { require mine: owner == self; owner = none; }
            claim one: forall s in thread, t in thread. held(s) && held(t) -> s == t;
        }
        type table<key> {
            enum Mode { QUIET, LOUD }
            lock guard;
            lock part[key];
            shared Mode mode = QUIET;
            shared set<key> inside = {};
            requires wanted(key k) -> bool;
            op put(key k) -> bool {
                inside += k;
                if (mode == LOUD) { return true; }
                mode = LOUD;
                return k in old(inside);
            }
            proc locked(key k) { step enter { take(part[k]); } step leave when wanted(k) { give(part[k]); } }
            rule calm when mode == LOUD, exists k in key. wanted(k) { mode = QUIET; }
        }
        index node[2];
        shared node? next_one = none;
        table<node> nodes { wanted(n) = n == next_one; }
        thread t[v in node] { bool was = false; step a { was = put(nodes, v); } down: locked(nodes, v); }
        rule pick[v in node] when next_one == none { next_one = v; }
        claim quiet: always nodes.guard.owner == none;
        reach inside_both: forall v in node. t[v] at down;""",
    "alive when, in steps and claims": """
        index root[2];
        shared set<root> live = {};
        shared bool invalid[r in root] = false alive when r in live;
        thread t { step make[r in root] { live += r; } loop { choose {
            step mark[r in root] { invalid[r] = true; }
            or step every { for all r in root { if (r in live) { invalid[r] = !invalid[r]; } } }
            or step clear { live = {}; } } } }
        claim any: forall r in root. invalid[r] -> r in live;""",
    "an assumption on every state, stuck threads, an idle step": """
        shared int(0..5) n = 0;
        assume small: n < 4;
        thread t { loop { step up { n += 1; } } }
        thread u { step wait_a when n == 3 {} idle step wait_b when n == 4 {} }
        thread w { step no when n > 4 {} }""",
}


def corner(name: str) -> str:
    """The text of one."""
    return f"protocol corner;\n{CORNERS[name]}\n"
