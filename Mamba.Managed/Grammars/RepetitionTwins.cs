namespace Mamba.Managed.Grammars;

/// <summary>Finds states within a counted repetition that read the same until its bounds come near.</summary>
/// <remarks>
/// The copies of a repetition have the same states and edges. Two sets of states that differ in the number of the copy alone read the same as long as
/// neither meets a bound, and as a copy reads a byte at least, that is as many bytes as there are copies up to it. A string of at most 2,000
/// characters has thousands of states; their tokens are found once, but for the tokens that are longer than what is left.
/// </remarks>
internal static class RepetitionTwins
{
    /// <summary>Notes in each state the one of its kind that is furthest from a bound.</summary>
    /// <param name="rule">The rule.</param>
    /// <param name="sets">The sets of the rule's states, each with the number of its state.</param>
    /// <param name="states">Of all rules.</param>
    public static void Find(RuleBuilder rule, IReadOnlyDictionary<int[], int> sets, List<GrammarState?> states)
    {
        if (rule.Copies.Count == 0)
        {
            return;
        }

        List<(int State, int[] Shape, int Slack)> found = [];
        Dictionary<int[], (int State, int Slack)> furthest = new(StateSetComparer.Instance);
        foreach ((int[] set, int state) in sets)
        {
            if (ShapeOf(set, rule.Copies) is ({ } shape, int slack))
            {
                found.Add((state, shape, slack));
                if (!furthest.TryGetValue(shape, out (int State, int Slack) best) || slack > best.Slack)
                {
                    furthest[shape] = (state, slack);
                }
            }
        }

        foreach ((int state, int[] shape, int slack) in found)
        {
            if (furthest[shape].State is int twin && twin != state)
            {
                states[state] = states[state]! with { Twin = twin, Slack = slack };
            }
        }
    }

    // The set with its copies counted from the first of them, which repetition it is and whether its least number is behind; and the copies up to the next bound.
    private static (int[] Shape, int Slack)? ShapeOf(int[] set, IReadOnlyList<Copies> all)
    {
        int index = -1, first = int.MaxValue, last = -1;
        foreach (int state in set)
        {
            int within = IndexOf(state, all);
            if (within < 0)
            {
                continue;
            }

            if (index >= 0 && index != within)
            {
                return null;
            }

            int copy = (state - all[within].Start) / all[within].Stride;
            (index, first, last) = (within, Math.Min(first, copy), Math.Max(last, copy));
        }

        if (index < 0)
        {
            return null;
        }

        // The last state of a copy is where the next begins, so that the bound is met one copy earlier.
        Copies copies = all[index];
        bool mayEnd = first + 1 >= copies.Least;
        int slack = (mayEnd ? copies.Count : copies.Least) - 2 - last;
        return slack <= 0 ? null : ([.. set.Select(state => IndexOf(state, all) < 0 ? state : state - (first * copies.Stride)), index, mayEnd ? 1 : 0], slack);
    }

    private static int IndexOf(int state, IReadOnlyList<Copies> all)
    {
        int low = 0, high = all.Count - 1;
        while (low <= high)
        {
            int middle = (low + high) >>> 1;
            if (state < all[middle].Start)
            {
                high = middle - 1;
            }
            else if (state >= all[middle].Start + (all[middle].Stride * all[middle].Count))
            {
                low = middle + 1;
            }
            else
            {
                return middle;
            }
        }

        return -1;
    }
}
