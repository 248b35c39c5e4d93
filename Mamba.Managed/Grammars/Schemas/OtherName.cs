using System.Text;

namespace Mamba.Managed.Grammars.Schemas;

/// <summary>A string, without escapes, that is none of some names.</summary>
/// <param name="Names">The names; one that needs an escape is none of these strings anyway.</param>
internal sealed record OtherName(IReadOnlyCollection<string> Names) : Expression
{
    private static readonly CodePointSet Plain = CodePointSet.Of(new CodePointRange(0x20, 0x10FFFF)).Except(CodePointSet.OfCharacters("\"\\"));

    /// <inheritdoc/>
    public override int Build(RuleBuilder rule, int from)
    {
        int end = rule.AddState(), other = rule.AddState(), start = rule.AddState();
        rule.AddBytes(from, (byte)'"', (byte)'"', start);
        rule.AddBytes(other, (byte)'"', (byte)'"', end);
        new Utf8Edges(rule, other, other).Add(Plain);
        Write(rule, start, end, other);
        return end;
    }

    /// <inheritdoc/>
    public override int Measure(Func<int, int> sizeOfRule) => int.MaxValue;

    // A tree of the names' characters: a name may not end where one of these ends, and is another when it leaves the tree.
    private void Write(RuleBuilder rule, int start, int end, int other)
    {
        Dictionary<(int State, int Character), int> next = [];
        Dictionary<int, List<CodePointRange>> children = new() { [start] = [] };
        HashSet<int> whole = [];
        foreach (string name in Names)
        {
            int state = start;
            foreach (Rune rune in name.EnumerateRunes())
            {
                if (!next.TryGetValue((state, rune.Value), out int child))
                {
                    next[(state, rune.Value)] = child = rule.AddState();
                    children[state].Add(new(rune.Value, rune.Value));
                    children[child] = [];
                    new Utf8Edges(rule, state, child).Add(Plain.And(CodePointSet.Of(new CodePointRange(rune.Value, rune.Value))));
                }

                state = child;
            }

            whole.Add(state);
        }

        foreach ((int state, List<CodePointRange> characters) in children)
        {
            new Utf8Edges(rule, state, other).Add(Plain.Except(CodePointSet.Of(characters)));
            if (!whole.Contains(state))
            {
                rule.AddBytes(state, (byte)'"', (byte)'"', end);
            }
        }
    }
}
