using System.Text;
using Microsoft.CodeAnalysis;

namespace Mamba.Managed.ILGPU.Unrolling;

/// <summary>What a statement has done so far: the locals it wrote, and whether it changed memory or may have.</summary>
internal sealed class Log
{
    public HashSet<string> Writes { get; } = [];

    public bool Effects { get; set; }

    public void Add(Log other)
    {
        Writes.UnionWith(other.Writes);
        Effects |= other.Effects;
    }

    /// <summary>Whether an expression evaluated before would give another result, or have another effect, if it were evaluated now.</summary>
    public bool Disturbs(Piece piece) =>
        piece.Constant is null && piece.Array is null
        && ((piece.Touch & Touch.Effects) != 0
            || ((piece.Touch & Touch.Memory) != 0 && Effects)
            || (Writes.Count > 0 && Words(piece.Text).Any(Writes.Contains)));

    /// <summary>Whether an expression that names a place would name another if it were evaluated now.</summary>
    public bool Moves(Piece place) => (place.Touch & Touch.Effects) != 0 || Words(place.Text).Skip(1).Any(Writes.Contains);

    /// <summary>The identifiers in a text.</summary>
    public static IEnumerable<string> Words(string text)
    {
        int start = -1;
        for (int i = 0; i <= text.Length; i++)
        {
            bool inside = i < text.Length && (char.IsLetterOrDigit(text[i]) || text[i] == '_');
            if (inside && start < 0)
            {
                start = i;
            }
            else if (!inside && start >= 0)
            {
                yield return text.Substring(start, i - start);
                start = -1;
            }
        }
    }
}

/// <summary>
/// An expression as it grows from left to right: texts and operands in turn. When the call of an inlined method puts statements before the statement,
/// operands that C# evaluates earlier and that those statements could disturb are taken into locals first.
/// </summary>
internal sealed class Operands(Output output, Names names, Log log)
{
    private readonly List<(Piece Piece, bool IsValue)> parts = [];

    /// <summary>What all parts together do.</summary>
    public Touch Touch => parts.Aggregate(Touch.Nothing, (all, part) => all | part.Piece.Touch);

    public int Count => parts.Count;

    public Piece this[int index] => parts[index].Piece;

    /// <summary>The first value among the parts from <paramref name="start"/> on.</summary>
    public Piece FirstValue(int start) => parts.Skip(start).First(part => part.IsValue).Piece;

    public void Text(string text) => parts.Add((new Piece(text), false));

    /// <summary>Adds a part that names a place instead of a value, so that it is never copied to a local.</summary>
    public void Place(Piece piece) => parts.Add((piece, false));

    /// <summary>Adds what a member or element is taken of: a place, unless it is computed with side effects.</summary>
    public void Receiver(Piece piece) => parts.Add((piece, (piece.Touch & Touch.Effects) != 0));

    /// <summary>Adds a value that was rendered when the output had <paramref name="mark"/> lines.</summary>
    public void Value(Piece piece, int mark)
    {
        KeepOrder(mark);
        parts.Add((piece, true));
    }

    /// <summary>Takes the values so far into locals before line <paramref name="mark"/>, where the lines after it could disturb them.</summary>
    /// <returns>The line after those locals.</returns>
    public int KeepOrder(int mark)
    {
        bool isDisturbed = output.Count > mark;
        for (int i = 0; isDisturbed && i < parts.Count; i++)
        {
            if (parts[i].IsValue && log.Disturbs(parts[i].Piece))
            {
                string name = names.Fresh("value");
                output.Insert(mark++, $"var {name} = {parts[i].Piece.Text};");
                parts[i] = (new Piece(name), true);
            }
        }

        return mark;
    }

    public override string ToString() => ToString(0, parts.Count);

    public string ToString(int start, int end)
    {
        StringBuilder text = new();
        for (int i = start; i < end; i++)
        {
            text.Append(parts[i].Piece.Text);
        }

        return text.ToString().Trim();
    }
}
