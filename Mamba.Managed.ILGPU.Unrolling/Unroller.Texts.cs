using System.Globalization;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Mamba.Managed.ILGPU.Unrolling;

/// <summary>Interpolated strings; those of constants become literals.</summary>
internal sealed partial class Unroller
{
    private Piece Interpolated(InterpolatedStringExpressionSyntax node)
    {
        Operands parts = NewOperands();
        string? known = "";
        parts.Text(node.StringStartToken.Text);
        foreach (InterpolatedStringContentSyntax content in node.Contents)
        {
            if (content is InterpolationSyntax hole)
            {
                int first = parts.Count;
                Flatten(hole, parts);
                known = known is null || Formatted(parts.FirstValue(first), hole) is not { } text ? null : known + text;
            }
            else
            {
                parts.Text(content.ToString());
                known = known is null ? null : known + Unescaped((InterpolatedStringTextSyntax)content, node.StringStartToken.Text);
            }
        }

        parts.Text(node.StringEndToken.Text);
        return known is not null ? Piece.Of(known) : new Piece(parts.ToString(), touch: parts.Touch);
    }

    /// <summary>The characters for which a text between holes stands: {{ is one brace.</summary>
    private static string Unescaped(InterpolatedStringTextSyntax content, string start)
    {
        if (start.Contains("\"\"\""))
        {
            return content.TextToken.ValueText;
        }

        string text = content.TextToken.Text.Replace("{{", "{").Replace("}}", "}");
        bool isPlain = !text.Contains('\\') && !text.Contains('"');
        return isPlain ? text : SyntaxFactory.ParseToken($"{(start.Contains('@') ? "@" : "")}\"{text}\"").ValueText;
    }

    private static string? Formatted(Piece piece, InterpolationSyntax hole) => piece.Constant is { } value
        ? string.Format(CultureInfo.InvariantCulture, $"{{0{hole.AlignmentClause}{hole.FormatClause}}}", value)
        : null;
}
