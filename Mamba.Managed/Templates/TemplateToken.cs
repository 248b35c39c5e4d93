namespace Mamba.Managed.Templates;

/// <summary>The kinds of tokens.</summary>
internal enum TokenKind
{
    /// <summary>Text outside of tags.</summary>
    Data,

    /// <summary>The opening of a statement.</summary>
    BlockBegin,

    /// <summary>The closing of a statement.</summary>
    BlockEnd,

    /// <summary>The opening of an expression that is printed.</summary>
    VariableBegin,

    /// <summary>The closing of an expression that is printed.</summary>
    VariableEnd,

    /// <summary>A name or a keyword.</summary>
    Name,

    /// <summary>A text in quotes.</summary>
    String,

    /// <summary>An integer or a float.</summary>
    Number,

    /// <summary>An operator, a bracket, or punctuation.</summary>
    Operator,

    /// <summary>The end of the template.</summary>
    End,
}

/// <summary>A token: its kind, its text, where it begins, and the value of a number.</summary>
internal readonly record struct TemplateToken(TokenKind Kind, string Text, int Offset, object? Value = null)
{
    /// <summary>Whether it is this operator.</summary>
    public bool IsOperator(string text) => Kind == TokenKind.Operator && Text == text;

    /// <summary>Whether it is this name.</summary>
    public bool IsName(string text) => Kind == TokenKind.Name && Text == text;

    /// <summary>The token in an error.</summary>
    public string Description => Kind switch
    {
        TokenKind.End => "the end of the template",
        TokenKind.Data => "text",
        TokenKind.BlockEnd => "'%}'",
        TokenKind.VariableEnd => "'}}'",
        _ => $"'{Shortened.Text(Text)}'",
    };
}
