namespace Mamba.Managed.Grammars;

/// <summary>Sets of a rule's states that are one after another without reading anything, without those from which the rule cannot end.</summary>
/// <param name="rules">The rules.</param>
/// <param name="nullable">Those that may be empty.</param>
/// <param name="productive">Those that can end.</param>
internal sealed class RuleClosures(IReadOnlyDictionary<int, RuleBuilder> rules, HashSet<int> nullable, HashSet<int> productive)
{
    private readonly Dictionary<int, bool[]> useful = [];
    private readonly Stack<int> waiting = new();

    // The round in which a state was last reached.
    private int[] seen = [];
    private int round;

    /// <summary>A rule.</summary>
    public RuleBuilder Rule(int rule) => rules[rule];

    /// <summary>The states that can be reached from some without reading, ascending.</summary>
    public int[] Of(int rule, IEnumerable<int> states)
    {
        RuleBuilder builder = rules[rule];
        bool[] isUseful = Useful(rule);
        if (seen.Length < builder.Count)
        {
            seen = new int[builder.Count * 2];
        }

        round++;
        List<int> found = [];
        foreach (int state in states)
        {
            waiting.Push(state);
        }

        while (waiting.TryPop(out int state))
        {
            if (!isUseful[state] || seen[state] == round)
            {
                continue;
            }

            seen[state] = round;
            found.Add(state);
            foreach (int next in builder.EmptyFrom(state))
            {
                waiting.Push(next);
            }

            foreach (CallEdge call in builder.CallsFrom(state))
            {
                if (nullable.Contains(call.Rule))
                {
                    waiting.Push(call.Target);
                }
            }
        }

        found.Sort();
        return [.. found];
    }

    /// <summary>The rules that a rule may begin with.</summary>
    public int[] FirstCalls(int rule) =>
        [.. Of(rule, [0]).SelectMany(state => rules[rule].CallsFrom(state)).Where(call => IsUsefulCall(rule, call)).Select(call => call.Rule).Distinct().Order()];

    /// <summary>Whether the rule can end after a call.</summary>
    public bool IsUsefulCall(int rule, CallEdge call) => productive.Contains(call.Rule) && Useful(rule)[call.Target];

    // The states from which the end can be reached.
    private bool[] Useful(int rule)
    {
        if (useful.TryGetValue(rule, out bool[]? known))
        {
            return known;
        }

        RuleBuilder builder = rules[rule];
        List<int>?[] before = new List<int>?[builder.Count];
        for (int state = 0; state < builder.Count; state++)
        {
            IEnumerable<int> targets = builder.EmptyFrom(state).Concat(builder.BytesFrom(state).Select(edge => edge.Target))
                .Concat(builder.CallsFrom(state).Where(call => productive.Contains(call.Rule)).Select(call => call.Target));
            foreach (int target in targets)
            {
                (before[target] ??= []).Add(state);
            }
        }

        bool[] reached = useful[rule] = new bool[builder.Count];
        Stack<int> earlierStates = new([builder.End]);
        while (earlierStates.TryPop(out int state))
        {
            if (!reached[state])
            {
                reached[state] = true;
                foreach (int earlier in before[state] ?? [])
                {
                    earlierStates.Push(earlier);
                }
            }
        }

        return reached;
    }
}
