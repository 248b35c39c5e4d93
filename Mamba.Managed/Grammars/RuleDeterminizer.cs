namespace Mamba.Managed.Grammars;

/// <summary>The subset construction: each rule's automaton becomes deterministic in its bytes.</summary>
/// <param name="closures">The rules.</param>
/// <param name="order">The rules in the order of their new numbers.</param>
internal sealed class RuleDeterminizer(RuleClosures closures, int[] order)
{
    // A set of states can grow with their number, and the number of sets with an exponential of it; real grammars stay far below.
    private const long MostWork = 1 << 24;
    private const int MostStates = 1 << 18;

    private readonly List<GrammarState?> states = [];
    private readonly Dictionary<int, int> numbers = order.Select((rule, number) => (rule, number)).ToDictionary(pair => pair.rule, pair => pair.number);
    private long work;

    /// <summary>The automaton whose first rule is the root.</summary>
    /// <exception cref="InvalidDataException">There are too many states.</exception>
    public GrammarAutomaton Run(int root)
    {
        int[] starts = [.. order.Select(Determinize)];
        bool[] isBoundary = new bool[257];
        foreach (ByteEdge edge in states.SelectMany(state => state!.Bytes))
        {
            isBoundary[edge.Low] = isBoundary[edge.High + 1] = true;
        }

        byte[] classOf = new byte[256];
        for (int value = 1; value < 256; value++)
        {
            classOf[value] = (byte)(classOf[value - 1] + (isBoundary[value] ? 1 : 0));
        }

        return new([.. states!], starts, starts[numbers[root]], classOf, classOf[255] + 1);
    }

    private int Determinize(int rule)
    {
        Dictionary<int[], int> known = new(StateSetComparer.Instance);
        Dictionary<int, int> after = [];
        Queue<int[]> waiting = new();
        int start = StateOf([0]);
        while (waiting.TryDequeue(out int[]? set))
        {
            states[known[set]] = new(Bytes(set), Calls(set), Array.BinarySearch(set, closures.Rule(rule).End) >= 0);
        }

        RepetitionTwins.Find(closures.Rule(rule), known, states);
        return start;

        int StateOf(IEnumerable<int> targets)
        {
            int[] set = closures.Of(rule, targets);
            Count(set.Length + 8);
            if (set.Length == 0)
            {
                return -1;
            }

            if (known.TryGetValue(set, out int state))
            {
                return state;
            }

            Throw.Unless(states.Count < MostStates, $"expected a grammar of at most {MostStates} states, found more; make it, or the numbers of its repetitions, smaller");
            states.Add(null);
            known.Add(set, states.Count - 1);
            waiting.Enqueue(set);
            return states.Count - 1;
        }

        // Nearly all edges lead to one state, whose closure need not be found twice.
        int StateAfter(int target)
        {
            if (!after.TryGetValue(target, out int state))
            {
                after[target] = state = StateOf([target]);
            }

            return state;
        }

        ByteEdge[] Bytes(int[] set)
        {
            List<ByteEdge> edges = [];
            foreach (int member in set)
            {
                edges.AddRange(closures.Rule(rule).BytesFrom(member));
            }

            if (edges.Count <= 1)
            {
                return edges is [ByteEdge one] && StateAfter(one.Target) is >= 0 and int next ? [one with { Target = next }] : [];
            }

            return Disjoint(edges);
        }

        ByteEdge[] Disjoint(List<ByteEdge> edges)
        {
            int[] cuts = Cuts(edges);
            Count((long)edges.Count * (cuts.Length + 1));
            List<ByteEdge> found = [];
            List<int> targets = [];
            for (int at = 0; at + 1 < cuts.Length; at++)
            {
                int low = cuts[at];
                targets.Clear();
                foreach (ByteEdge edge in edges)
                {
                    if (edge.Low <= low && low <= edge.High)
                    {
                        targets.Add(edge.Target);
                    }
                }

                int target = targets is [int single] ? StateAfter(single) : StateOf(targets);
                if (found is [.., ByteEdge last] && last.Target == target && last.High + 1 == low)
                {
                    found[^1] = last with { High = (byte)(cuts[at + 1] - 1) };
                }
                else if (target >= 0)
                {
                    found.Add(new((byte)low, (byte)(cuts[at + 1] - 1), target));
                }
            }

            return [.. found];
        }

        CallEdge[] Calls(int[] set)
        {
            SortedDictionary<int, List<int>> targets = [];
            foreach (int member in set)
            {
                foreach (CallEdge call in closures.Rule(rule).CallsFrom(member))
                {
                    if (closures.IsUsefulCall(rule, call))
                    {
                        _ = targets.TryAdd(numbers[call.Rule], []);
                        targets[numbers[call.Rule]].Add(call.Target);
                    }
                }
            }

            return targets.Count == 0 ? [] : [.. targets.Select(pair => new CallEdge(pair.Key, StateOf(pair.Value)))];
        }
    }

    // Where an edge begins or has ended, ascending.
    private static int[] Cuts(List<ByteEdge> edges)
    {
        Span<bool> isCut = stackalloc bool[257];
        isCut.Clear();
        foreach (ByteEdge edge in edges)
        {
            isCut[edge.Low] = isCut[edge.High + 1] = true;
        }

        int[] cuts = new int[isCut.Count(true)];
        for (int value = 0, count = 0; count < cuts.Length; value++)
        {
            cuts[count] = value;
            count += isCut[value] ? 1 : 0;
        }

        return cuts;
    }

    private void Count(long steps)
    {
        work += steps;
        Throw.Unless(work <= MostWork, $"expected a grammar whose alternatives can be told apart soon, found one that takes too many states; make it, or the numbers of its repetitions, smaller");
    }
}
