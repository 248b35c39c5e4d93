using System.Text;

namespace Mamba.Managed.ILGPU.Unrolling;

/// <summary>The lines of the generated method as they grow, with their indentation.</summary>
internal sealed class Output
{
    private readonly List<(int Depth, string Text)> lines = [];
    private int depth;

    public int Count => lines.Count;

    public void Line(string text) => lines.Add((depth, text));

    /// <summary>Puts a line before line <paramref name="at"/>, which must have been written at this depth.</summary>
    public void Insert(int at, string text) => lines.Insert(at, (depth, text));

    public void Open()
    {
        Line("{");
        depth++;
    }

    public void Close()
    {
        depth--;
        Line("}");
    }

    /// <summary>Takes away the braces of the block that was opened at line <paramref name="start"/> and closed last.</summary>
    public void RemoveBraces(int start)
    {
        lines.RemoveAt(lines.Count - 1);
        lines.RemoveAt(start);
        for (int i = start; i < lines.Count; i++)
        {
            lines[i] = (lines[i].Depth - 1, lines[i].Text);
        }
    }

    /// <summary>Whether the lines from <paramref name="start"/> to before <paramref name="end"/> are one block.</summary>
    public bool IsSingleBlock(int start, int end) =>
        lines[start].Text == "{" && lines.FindIndex(start + 1, line => line.Depth == lines[start].Depth && line.Text == "}") == end - 1;

    /// <summary>Takes away a header at line <paramref name="start"/> whose block is empty.</summary>
    public void RemoveIfEmpty(int start)
    {
        if (lines.Count == start + 3)
        {
            lines.RemoveRange(start, 3);
        }
    }

    public string ToText(int indentation)
    {
        StringBuilder text = new();
        foreach ((int lineDepth, string line) in lines)
        {
            text.Append(' ', 4 * (indentation + lineDepth)).Append(line).Append('\n');
        }

        return text.ToString();
    }
}
