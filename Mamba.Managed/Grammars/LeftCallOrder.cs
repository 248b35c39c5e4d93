namespace Mamba.Managed.Grammars;

/// <summary>The order of rules in which one comes before those that it may begin with.</summary>
internal static class LeftCallOrder
{
    /// <summary>The order; there is none where a rule may begin with itself.</summary>
    /// <param name="root">The first rule.</param>
    /// <param name="known">The rules to order.</param>
    /// <param name="firstCalls">For a rule those that it may begin with.</param>
    /// <param name="nameOf">For the message.</param>
    /// <exception cref="InvalidDataException">A rule is left-recursive.</exception>
    public static int[] Of(int root, IReadOnlyCollection<int> known, Func<int, int[]> firstCalls, Func<int, string> nameOf)
    {
        List<int> after = [];
        Dictionary<int, bool> isDone = [];
        Stack<(int Rule, int[] Calls, int Next)> path = new();
        foreach (int first in known.Order().Prepend(root))
        {
            Visit(first);
            while (path.TryPop(out (int Rule, int[] Calls, int Next) top))
            {
                if (top.Next < top.Calls.Length)
                {
                    path.Push(top with { Next = top.Next + 1 });
                    Visit(top.Calls[top.Next]);
                }
                else
                {
                    isDone[top.Rule] = true;
                    after.Add(top.Rule);
                }
            }
        }

        after.Reverse();
        return [.. after];

        void Visit(int rule)
        {
            if (!isDone.TryGetValue(rule, out bool done))
            {
                isDone[rule] = false;
                path.Push((rule, firstCalls(rule), 0));
            }
            else if (!done)
            {
                IEnumerable<string> cycle = path.Select(step => step.Rule).TakeWhile(step => step != rule).Append(rule).Reverse().Append(rule).Select(nameOf);
                throw new InvalidDataException(
                    $"expected rules that do not begin with themselves, found left recursion: {Shortened.List(cycle, " -> ")}; write the repetition as 'x (y x)*'");
            }
        }
    }
}
