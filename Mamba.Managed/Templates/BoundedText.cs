using System.Text;

namespace Mamba.Managed.Templates;

/// <summary>A text that grows up to the longest that a rendering may make.</summary>
internal sealed class BoundedText(Rendering rendering)
{
    private readonly StringBuilder text = new();

    /// <summary>How long it is.</summary>
    public int Length => text.Length;

    /// <summary>Appends a text.</summary>
    public void Append(string more)
    {
        Require(more.Length);
        text.Append(more);
    }

    /// <summary>Appends a character.</summary>
    public void Append(char more)
    {
        Require(1);
        text.Append(more);
    }

    public override string ToString() => text.ToString();

    private void Require(int more)
    {
        rendering.StepText(more);
        if (text.Length + (long)more > rendering.Limits.MostCharacters)
        {
            rendering.RequireText(text.Length + (long)more);
        }
    }
}
