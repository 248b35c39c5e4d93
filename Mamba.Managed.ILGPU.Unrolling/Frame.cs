using Microsoft.CodeAnalysis;

namespace Mamba.Managed.ILGPU.Unrolling;

/// <summary>One method being expanded: the template itself, or an inlined method inside one of its calls.</summary>
internal sealed class Frame(IMethodSymbol method, Frame? caller, Compilation compilation)
{
    private readonly Dictionary<ISymbol, Piece> bindings = new(SymbolEqualityComparer.Default);
    private readonly Dictionary<ISymbol, ITypeSymbol> types = new(SymbolEqualityComparer.Default);

    public IMethodSymbol Method { get; } = method;

    public Frame? Caller { get; } = caller;

    /// <summary>Whether this is the template: its names stay as they are.</summary>
    public bool IsTemplate => Caller is null;

    /// <summary>How many conditions and loops of the inlined method enclose the statement; it may return where there are none.</summary>
    public int Nesting { get; set; }

    /// <summary>Whether a return was met, so that the statements after it are dead.</summary>
    public bool Returned { get; set; }

    /// <summary>What the inlined method returns.</summary>
    public Piece? Result { get; set; }

    /// <summary>The local of the caller that receives the result of an inlined block.</summary>
    public string? ResultName { get; set; }

    /// <summary>Whether what is read from memory was put in the place of parameters, so that the body must not change memory.</summary>
    public bool ReadsMemory { get; set; }

    /// <summary>Tells whether the inlined block has no lines yet, so that what it returns can stand in the place of the call.</summary>
    public Func<bool>? IsEmptySoFar { get; set; }

    public void Bind(ISymbol variable, Piece piece) => bindings[variable] = piece;

    public bool TryGet(ISymbol variable, out Piece piece) => bindings.TryGetValue(variable, out piece);

    public void BindType(ITypeParameterSymbol parameter, ITypeSymbol type) => types[parameter] = type;

    /// <summary>The type with the type parameters of inlined methods replaced by what they stand for.</summary>
    public ITypeSymbol Substitute(ITypeSymbol type) => types.Count == 0 ? type : type switch
    {
        ITypeParameterSymbol parameter => types.TryGetValue(parameter, out ITypeSymbol? argument) ? argument : type,
        IArrayTypeSymbol array => compilation.CreateArrayTypeSymbol(Substitute(array.ElementType), array.Rank),
        INamedTypeSymbol { IsGenericType: true, IsUnboundGenericType: false } named => Constructed(named),
        _ => type,
    };

    private ITypeSymbol Constructed(INamedTypeSymbol type)
    {
        INamedTypeSymbol open = type.ContainingType is { } owner && Substitute(owner) is INamedTypeSymbol constructed
            ? constructed.GetTypeMembers(type.Name, type.Arity).Single()
            : type.ConstructedFrom;
        return type.Arity == 0 ? open : open.Construct([.. type.TypeArguments.Select(Substitute)]);
    }

    /// <summary>Whether this method or one that called it is <paramref name="candidate"/>.</summary>
    public bool Contains(IMethodSymbol candidate) =>
        SymbolEqualityComparer.Default.Equals(Method, candidate) || (Caller?.Contains(candidate) ?? false);
}
