using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Mamba.Managed.ILGPU.Unrolling;

/// <summary>
/// What the expansion of a template depends on: its own file, the files of whatever it and the methods that it inlines refer to, the values of
/// constants, and the references of the project. While these are the same, a change elsewhere does not expand the template anew.
/// </summary>
internal sealed class Dependencies : IEquatable<Dependencies>
{
    private readonly Facts facts;
    private readonly HashSet<ISymbol> seen = new(SymbolEqualityComparer.Default);
    private readonly HashSet<SyntaxTree> sources = [];
    private readonly List<object?> constants = [];

    private Dependencies(Facts facts) => this.facts = facts;

    public static Dependencies Of(MethodDeclarationSyntax template, IEnumerable<AttributeData> attributes, Facts facts)
    {
        Dependencies dependencies = new(facts);
        dependencies.sources.Add(template.SyntaxTree);
        dependencies.Visit(template);
        dependencies.Add(facts.Home);
        dependencies.constants.AddRange(attributes.SelectMany(attribute => attribute.ConstructorArguments).Select(Value));
        return dependencies;
    }

    public bool Equals(Dependencies? other) => other is not null
        && sources.SetEquals(other.sources)
        && constants.SequenceEqual(other.constants)
        && facts.Compilation.References.SequenceEqual(other.facts.Compilation.References);

    public override bool Equals(object? obj) => Equals(obj as Dependencies);

    public override int GetHashCode() => sources.Count;

    private static object? Value(TypedConstant argument) =>
        argument.Kind == TypedConstantKind.Array ? string.Join("\n", argument.Values.Select(value => value.Value)) : argument.Value;

    private void Visit(SyntaxNode body)
    {
        foreach (ExpressionSyntax node in body.DescendantNodesAndSelf().OfType<ExpressionSyntax>())
        {
            Add(facts.Symbol(node));
            Add(facts.Type(node));
        }
    }

    private void Add(ISymbol? symbol)
    {
        if (symbol is null or ILocalSymbol or IParameterSymbol || !seen.Add(symbol.OriginalDefinition))
        {
            return;
        }

        sources.UnionWith(symbol.OriginalDefinition.DeclaringSyntaxReferences.Select(reference => reference.SyntaxTree));
        Add(symbol.ContainingType);
        if (symbol is IFieldSymbol { IsConst: true } constant)
        {
            constants.Add(constant.ConstantValue);
        }
        else if (symbol is IMethodSymbol method && facts.Inlined((method.ReducedFrom ?? method).OriginalDefinition) is { Fault: null }
            && facts.Declaration((method.ReducedFrom ?? method).OriginalDefinition) is { } declaration)
        {
            Visit(declaration);
        }
    }
}
