namespace Mamba.Managed.Templates;

/// <summary>The text of a template with its newlines made one kind, and the places in it.</summary>
internal sealed class TemplateText
{
    public TemplateText(string source)
    {
        Text = PythonText.NormalizeNewlines(source);
        if (Text.EndsWith('\n'))
        {
            Text = Text[..^1];
        }
    }

    /// <summary>The text as the lexer reads it: one newline at the very end is not part of a template.</summary>
    public string Text { get; }

    /// <summary>Line and column of an offset, both counted from 1.</summary>
    public (int Line, int Column) Place(int offset)
    {
        ReadOnlySpan<char> before = Text.AsSpan(0, Math.Min(offset, Text.Length));
        return (before.Count('\n') + 1, before.Length - before.LastIndexOf('\n'));
    }

    /// <summary>The error of a template that is malformed or asks for what is not supported.</summary>
    public InvalidDataException Refused(int offset, string message)
    {
        (int line, int column) = Place(offset);
        return new InvalidDataException(Throw.Invariant($"chat template, line {line}, column {column}: {message}"));
    }
}
