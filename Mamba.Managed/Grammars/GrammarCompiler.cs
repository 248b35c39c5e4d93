namespace Mamba.Managed.Grammars;

/// <summary>Makes the automaton of a grammar from its rules.</summary>
internal sealed class GrammarCompiler
{
    private readonly GrammarRules rules;
    private readonly int root;
    private readonly Dictionary<int, RuleBuilder> built = [];
    private readonly Dictionary<int, HashSet<int>> callers = [];

    private GrammarCompiler(GrammarRules rules, int root) => (this.rules, this.root) = (rules, root);

    /// <summary>Compiles what can be reached from a rule.</summary>
    /// <exception cref="InvalidDataException">The grammar is left-recursive, never ends, or takes too many states.</exception>
    public static GrammarAutomaton Compile(GrammarRules rules, int root) => new GrammarCompiler(rules, root).Compile();

    private GrammarAutomaton Compile()
    {
        BuildReachable();
        HashSet<int> nullable = Fixpoint((rule, known) => Reaches(built[rule], (_, call) => known.Contains(call.Rule), readsBytes: false));
        HashSet<int> productive = Fixpoint((rule, known) => Reaches(built[rule], (_, call) => known.Contains(call.Rule), readsBytes: true));
        Throw.Unless(productive.Contains(root), $"expected a grammar with texts that end, found that {rules.NameOf(root)} never does; give its recursion an alternative without it");
        RuleClosures closures = new(built, nullable, productive);
        int[] order = LeftCallOrder.Of(root, productive, closures.FirstCalls, rules.NameOf);
        return new RuleDeterminizer(closures, order).Run(root);
    }

    private void BuildReachable()
    {
        Stack<int> waiting = new([root]);
        while (waiting.TryPop(out int rule))
        {
            if (built.ContainsKey(rule))
            {
                continue;
            }

            RuleBuilder states = built[rule] = new(rules, rules.BodyOf(rule));
            for (int state = 0; state < states.Count; state++)
            {
                foreach (CallEdge call in states.CallsFrom(state))
                {
                    if (!callers.TryGetValue(call.Rule, out HashSet<int>? of))
                    {
                        callers[call.Rule] = of = [];
                    }

                    of.Add(rule);
                    waiting.Push(call.Rule);
                }
            }
        }
    }

    // The smallest set of rules that holds each rule for which the test holds, given the set; a rule is looked at again when one that it calls joins.
    private HashSet<int> Fixpoint(Func<int, HashSet<int>, bool> test)
    {
        HashSet<int> known = [];
        Queue<int> waiting = new(built.Keys);
        while (waiting.TryDequeue(out int rule))
        {
            if (!known.Contains(rule) && test(rule, known))
            {
                known.Add(rule);
                foreach (int caller in callers.GetValueOrDefault(rule) ?? [])
                {
                    waiting.Enqueue(caller);
                }
            }
        }

        return known;
    }

    private static bool Reaches(RuleBuilder rule, Func<int, CallEdge, bool> passes, bool readsBytes)
    {
        bool[] seen = new bool[rule.Count];
        Stack<int> waiting = new([0]);
        while (waiting.TryPop(out int state))
        {
            if (seen[state])
            {
                continue;
            }

            seen[state] = true;
            if (state == rule.End)
            {
                return true;
            }

            foreach (int next in rule.EmptyFrom(state))
            {
                waiting.Push(next);
            }

            foreach (CallEdge call in rule.CallsFrom(state))
            {
                if (passes(state, call))
                {
                    waiting.Push(call.Target);
                }
            }

            if (readsBytes)
            {
                foreach (ByteEdge edge in rule.BytesFrom(state))
                {
                    waiting.Push(edge.Target);
                }
            }
        }

        return false;
    }
}
