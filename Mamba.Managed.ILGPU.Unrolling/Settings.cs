using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Mamba.Managed.ILGPU.Unrolling;

/// <summary>The constants that have another value in one variant of a template: <c>"Lanes=4"</c>.</summary>
internal sealed class Settings
{
    private readonly Dictionary<string, (object Value, string Text)> values = [];
    private readonly AttributeSyntax attribute;
    private readonly string variant;

    private Settings(AttributeSyntax attribute, string variant) => (this.attribute, this.variant) = (attribute, variant);

    /// <summary>Whether a const field has another value, so that fields computed from it may have, too.</summary>
    public bool TouchFields { get; private set; }

    /// <exception cref="TemplateException">A text is no setting, or names no constant of the method or of its class.</exception>
    public static Settings Parse(IEnumerable<string> texts, string variant, AttributeSyntax attribute, MethodDeclarationSyntax method,
        INamedTypeSymbol home)
    {
        Settings settings = new(attribute, variant);
        HashSet<string> locals = [.. method.DescendantNodes().OfType<LocalDeclarationStatementSyntax>().Where(local => local.IsConst)
            .SelectMany(local => local.Declaration.Variables).Select(variable => variable.Identifier.ValueText)];
        foreach (string text in texts)
        {
            int equals = text.IndexOf('=');
            string name = equals < 0 ? "" : text.Substring(0, equals).Trim();
            object? value = equals < 0 ? null : Evaluate(SyntaxFactory.ParseExpression(text.Substring(equals + 1)));
            settings.Check(value is not null, text, "it has no constant value");
            bool isField = IsConstField(home, name);
            settings.Check(isField || locals.Contains(name), text, $"there is no constant '{name}'");
            settings.values[name] = (value!, text);
            settings.TouchFields |= isField;
        }

        return settings;
    }

    /// <summary>The other value of a const local of the template, or null.</summary>
    public object? For(ILocalSymbol local) => For(local.Name, local.Type);

    /// <summary>The other value of a const field, or null. Only fields of the template's class and of classes around it can have one.</summary>
    public object? For(IFieldSymbol field, INamedTypeSymbol home)
    {
        for (INamedTypeSymbol? type = home; type is not null; type = type.ContainingType)
        {
            if (SymbolEqualityComparer.Default.Equals(type.OriginalDefinition, field.ContainingType.OriginalDefinition))
            {
                return For(field.Name, field.Type);
            }
        }

        return null;
    }

    private object? For(string name, ITypeSymbol type)
    {
        if (!values.TryGetValue(name, out (object Value, string Text) setting))
        {
            return null;
        }

        object? converted = Folding.Convert(setting.Value, type.SpecialType);
        bool fits = converted is not null && (setting.Value is bool || Equals(Number(converted), Number(setting.Value)));
        Check(fits || (converted is float && setting.Value is double), setting.Text, $"the value does not fit type {type}");
        return converted;
    }

    private static object? Number(object value) => Folding.Convert(value, SpecialType.System_Double);

    private static bool IsConstField(INamedTypeSymbol home, string name)
    {
        for (INamedTypeSymbol? type = home; type is not null; type = type.ContainingType)
        {
            if (type.GetMembers(name).Any(member => member is IFieldSymbol { IsConst: true }))
            {
                return true;
            }
        }

        return false;
    }

    private static object? Evaluate(ExpressionSyntax node)
    {
        if (node.ContainsDiagnostics)
        {
            return null;
        }

        return node switch
        {
            LiteralExpressionSyntax literal => Folding.IsKnown(literal.Token.Value) ? literal.Token.Value : null,
            ParenthesizedExpressionSyntax inner => Evaluate(inner.Expression),
            PrefixUnaryExpressionSyntax unary => Evaluate(unary.Operand) is { } value ? Folding.Unary(unary.Kind(), value) : null,
            BinaryExpressionSyntax binary => Evaluate(binary.Left) is { } left && Evaluate(binary.Right) is { } right
                ? EvaluateBinary(binary.Kind(), left, right)
                : null,
            _ => null,
        };
    }

    private static object? EvaluateBinary(SyntaxKind kind, object left, object right)
    {
        try
        {
            return Folding.Binary(kind, left, right);
        }
        catch (DivideByZeroException)
        {
            return null;
        }
    }

    private void Check(bool holds, string text, string reason)
    {
        if (!holds)
        {
            throw new TemplateException(Diagnostics.BadSetting, attribute, text, variant, reason);
        }
    }
}
