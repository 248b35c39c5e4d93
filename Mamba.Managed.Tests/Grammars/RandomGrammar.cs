using System.Text;

namespace Mamba.Managed.Tests.Grammars;

/// <summary>A random grammar with its own plain recognizer: sets of places where an expression may end, by the definition.</summary>
internal sealed class RandomGrammar
{
    private const string Letters = "abé";
    private readonly Random random;
    private readonly Node[] rules;

    public RandomGrammar(int seed)
    {
        random = new(seed);
        int count = random.Next(1, 5);
        rules = [.. Enumerable.Range(0, count).Select(_ => Make(random.Next(1, 5), count))];
    }

    private enum Kind
    {
        Text,
        Class,
        Sequence,
        Choice,
        Repeat,
        Rule,
    }

    /// <summary>In GBNF.</summary>
    public string Notation => string.Concat(rules.Select((rule, index) => $"{NameOf(index)} ::= {Write(rule)}\n"));

    /// <summary>Whether the whole text is one of the grammar's.</summary>
    public bool Accepts(string text) => Ends(new(Kind.Rule, "", [], 0, 0, 0), text, 0, []).Contains(text.Length);

    private static string NameOf(int rule) => rule == 0 ? "root" : $"r{rule}";

    private Node Make(int depth, int count)
    {
        int least = random.Next(3);
        return (depth == 0 ? random.Next(2) : random.Next(7)) switch
        {
            0 => new(Kind.Text, string.Concat(Enumerable.Range(0, random.Next(3)).Select(_ => Letters[random.Next(3)])), [], 0, 0, 0),
            1 => new(Kind.Class, random.Next(2) == 0 ? "ab" : "bé", [], 0, 0, 0),
            2 or 3 => new(Kind.Sequence, "", Some(), 0, 0, 0),
            4 => new(Kind.Choice, "", Some(), 0, 0, 0),
            5 => new(Kind.Repeat, "", [Make(depth - 1, count)], 0, least, random.Next(3) == 0 ? null : least + random.Next(3)),
            _ => new(Kind.Rule, "", [], random.Next(count), 0, 0),
        };

        Node[] Some() => [.. Enumerable.Range(0, random.Next(1, 4)).Select(_ => Make(depth - 1, count))];
    }

    private static string Write(Node node) => node.Kind switch
    {
        Kind.Text => $"\"{node.Text}\"",
        Kind.Class => $"[{node.Text}]",
        Kind.Sequence => $"({string.Join(' ', node.Items.Select(Write))})",
        Kind.Choice => $"({string.Join(" | ", node.Items.Select(Write))})",
        Kind.Repeat => $"({Write(node.Items[0])}){{{node.Least},{node.Most}}}",
        _ => NameOf(node.Rule),
    };

    private HashSet<int> Ends(Node node, string text, int from, Dictionary<(int, int), HashSet<int>> known)
    {
        switch (node.Kind)
        {
            case Kind.Text:
                return string.CompareOrdinal(text, from, node.Text, 0, node.Text.Length) == 0 ? [from + node.Text.Length] : [];
            case Kind.Class:
                return from < text.Length && node.Text.Contains(text[from]) ? [from + 1] : [];
            case Kind.Choice:
                return [.. node.Items.SelectMany(item => Ends(item, text, from, known))];
            case Kind.Sequence:
                return node.Items.Aggregate(new HashSet<int> { from }, (at, item) => [.. at.SelectMany(place => Ends(item, text, place, known))]);
            case Kind.Repeat:
                HashSet<int> all = node.Least == 0 ? [from] : [], last = [from];
                int most = node.Most ?? node.Least + text.Length + 1;
                for (int count = 1; count <= most && last.Count > 0; count++)
                {
                    last = [.. last.SelectMany(place => Ends(node.Items[0], text, place, known))];
                    all.UnionWith(count >= node.Least ? last : []);
                }

                return all;
            default:
                if (!known.TryGetValue((node.Rule, from), out HashSet<int>? ends))
                {
                    // A rule that begins with itself and is not refused has no text.
                    known[(node.Rule, from)] = [];
                    known[(node.Rule, from)] = ends = Ends(rules[node.Rule], text, from, known);
                }

                return ends;
        }
    }

    private sealed record Node(Kind Kind, string Text, Node[] Items, int Rule, int Least, int? Most);
}
