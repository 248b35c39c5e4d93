using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Mamba.Managed.ILGPU.Unrolling;

/// <summary>
/// What the compiler knows about the nodes of templates and of the methods they inline. A node is asked for once, though it may be copied thousands
/// of times.
/// </summary>
internal sealed class Facts(INamedTypeSymbol home, MethodDeclarationSyntax template, SemanticModel homeModel)
{
    /// <summary>Where names of types are looked up: at the start of the template's body.</summary>
    private readonly int position = (template.Body?.OpenBraceToken ?? template.ExpressionBody?.ArrowToken ?? template.Identifier).Span.End;

    /// <summary>Names that hide those of types somewhere in the template.</summary>
    private readonly HashSet<string> locals = [.. template.DescendantNodes().Select(NameOfLocal).OfType<string>()];

    private readonly Dictionary<SyntaxTree, SemanticModel> models = new() { [homeModel.SyntaxTree] = homeModel };
    private readonly Dictionary<SyntaxNode, ISymbol?> symbols = [];
    private readonly Dictionary<SyntaxNode, ISymbol?> declarations = [];
    private readonly Dictionary<SyntaxNode, ITypeSymbol?> types = [];
    private readonly Dictionary<SyntaxNode, object?> constants = [];
    private readonly Dictionary<ISymbol, string> displays = new(SymbolEqualityComparer.Default);
    private readonly Dictionary<ISymbol, bool> accessible = new(SymbolEqualityComparer.Default);
    private readonly Dictionary<ISymbol, Inlinable?> inlined = new(SymbolEqualityComparer.Default);
    private readonly Dictionary<ISymbol, IReadOnlyList<string>?> fields = new(SymbolEqualityComparer.Default);

    public Compilation Compilation { get; } = homeModel.Compilation;

    /// <summary>The type to which the generated methods belong.</summary>
    public INamedTypeSymbol Home { get; } = home;

    public CancellationToken Cancellation { get; set; }

    /// <summary>What a name, call or operator refers to.</summary>
    public ISymbol? Symbol(SyntaxNode node)
    {
        if (!symbols.TryGetValue(node, out ISymbol? symbol))
        {
            symbols[node] = symbol = Model(node).GetSymbolInfo(node, Cancellation).Symbol;
        }

        return symbol;
    }

    /// <summary>What a declarator, designation or parameter declares.</summary>
    public ISymbol? Declared(SyntaxNode node)
    {
        if (!declarations.TryGetValue(node, out ISymbol? symbol))
        {
            declarations[node] = symbol = Model(node).GetDeclaredSymbol(node, Cancellation);
        }

        return symbol;
    }

    /// <summary>The source of a symbol, if it is part of this compilation.</summary>
    public SyntaxNode? Declaration(ISymbol symbol) =>
        symbol.DeclaringSyntaxReferences.FirstOrDefault(reference => Compilation.ContainsSyntaxTree(reference.SyntaxTree))?.GetSyntax(Cancellation);

    /// <summary>The type of an expression or of a type's name.</summary>
    public ITypeSymbol? Type(ExpressionSyntax node)
    {
        if (!types.TryGetValue(node, out ITypeSymbol? type))
        {
            types[node] = type = Model(node).GetTypeInfo(node, Cancellation).Type;
        }

        return type;
    }

    /// <summary>The value that the compiler itself gives to an expression of the template as it stands.</summary>
    public object? Constant(ExpressionSyntax node)
    {
        if (!constants.TryGetValue(node, out object? value))
        {
            constants[node] = value = Model(node).GetConstantValue(node, Cancellation).Value;
        }

        return value;
    }

    /// <summary>Whether a symbol can be named inside the generated method.</summary>
    public bool IsAccessible(ISymbol symbol)
    {
        if (!accessible.TryGetValue(symbol, out bool known))
        {
            accessible[symbol] = known = symbol is ITypeParameterSymbol || Compilation.IsSymbolAccessibleWithin(symbol, Home);
        }

        return known;
    }

    /// <summary>The shortest name of a type that means the same where the generated method stands.</summary>
    public string Display(ITypeSymbol type)
    {
        if (!displays.TryGetValue(type, out string? display))
        {
            string shortest = type.ToMinimalDisplayString(homeModel, position);
            bool isHidden = locals.Contains(shortest.Split('.', '<')[0]);
            displays[type] = display = isHidden ? type.ToDisplayString(SymbolDisplayFormat.FullyQualifiedFormat) : shortest;
        }

        return display;
    }

    /// <summary>The body of an [Inlined] method, or null for other methods.</summary>
    public Inlinable? Inlined(IMethodSymbol definition)
    {
        if (!inlined.TryGetValue(definition, out Inlinable? body))
        {
            inlined[definition] = body = Inlinable.Of(definition, this);
        }

        return body;
    }

    /// <summary>The fields for which the indexer of a type stands, or null.</summary>
    public IReadOnlyList<string>? FieldsOf(ITypeSymbol type)
    {
        if (!fields.TryGetValue(type, out IReadOnlyList<string>? names))
        {
            fields[type] = names = Has(type, Markers.Fields) ? [.. type.GetMembers().OfType<IFieldSymbol>().Where(IsStored).Select(field => field.Name)] : null;
        }

        return names;
    }

    private static bool IsStored(IFieldSymbol field) => !field.IsStatic && !field.IsImplicitlyDeclared;

    /// <summary>Whether a symbol carries one of the attributes of <see cref="Markers"/>.</summary>
    public static bool Has(ISymbol symbol, string attribute) =>
        symbol.GetAttributes().Any(candidate => candidate.AttributeClass?.ToDisplayString() == attribute);

    /// <summary>Whether a call marks a loop: Unroll.From(...).</summary>
    public bool IsLoopStart(ExpressionSyntax? node) =>
        node is InvocationExpressionSyntax { ArgumentList.Arguments.Count: 1 } call
        && Symbol(call) is IMethodSymbol { Name: Markers.LoopStart } method
        && method.ContainingType.ToDisplayString() == Markers.Loop;

    private static string? NameOfLocal(SyntaxNode node) => node switch
    {
        VariableDeclaratorSyntax variable => variable.Identifier.ValueText,
        SingleVariableDesignationSyntax variable => variable.Identifier.ValueText,
        ParameterSyntax parameter => parameter.Identifier.ValueText,
        ForEachStatementSyntax loop => loop.Identifier.ValueText,
        _ => null,
    };

    private SemanticModel Model(SyntaxNode node)
    {
        if (!models.TryGetValue(node.SyntaxTree, out SemanticModel? model))
        {
            models[node.SyntaxTree] = model = Compilation.GetSemanticModel(node.SyntaxTree);
        }

        return model;
    }
}
