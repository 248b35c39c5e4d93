using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Mamba.Managed.ILGPU.Unrolling;

/// <summary>Calls that stay calls, and those that are carried out: lengths, nameof, Math.Max and Math.Min.</summary>
internal sealed partial class Unroller
{
    private static readonly HashSet<string> PureTypes = ["Math", "MathF", "XMath", "IntrinsicMath", "BitConverter", "BitOperations", "Interop"];

    private Piece Invocation(InvocationExpressionSyntax node)
    {
        Check(!facts.IsLoopStart(node), Diagnostics.MisplacedStart, node, node.Parent ?? node);
        if (InlinedMethod(node) is { } inlined)
        {
            return Inline(node, inlined);
        }

        if (facts.Symbol(node) is not IMethodSymbol method)
        {
            return facts.Constant(node) is string name ? Piece.Of(name) : Generic(node, Touch.Effects);
        }

        return TryLength(node, method) ?? Call(node, method);
    }

    private Piece Call(InvocationExpressionSyntax node, IMethodSymbol method)
    {
        Operands parts = NewOperands();
        int first = 0;
        if (!frame.IsTemplate && method.ReducedFrom is not null && node.Expression is MemberAccessExpressionSyntax extension)
        {
            Extension(node, method, extension, parts);
        }
        else
        {
            Callee(node, method, parts);
            first = parts.Count;
            Flatten(node.ArgumentList, parts);
        }

        if (TryExtreme(method, parts, first) is { } known)
        {
            return Piece.Of(known);
        }

        bool isPure = method.IsStatic && PureTypes.Contains(method.ContainingType.Name);
        log.Effects |= !isPure;
        return new Piece(parts.ToString(), touch: parts.Touch | (isPure ? Touch.Nothing : Touch.Effects));
    }

    private void Callee(InvocationExpressionSyntax node, IMethodSymbol method, Operands parts)
    {
        if (node.Expression is not MemberAccessExpressionSyntax access)
        {
            parts.Place(Value(node.Expression));
            return;
        }

        Piece receiver = Value(access.Expression);
        if (method.ReducedFrom is null && !method.IsStatic && facts.Type(access.Expression)?.IsValueType == true && !method.IsReadOnly)
        {
            Written(receiver);
        }

        parts.Receiver(receiver);
        parts.Text("." + MemberName(access));
    }

    /// <summary>Extension methods in inlined code are called as static ones: the generated file may lack their using.</summary>
    private void Extension(InvocationExpressionSyntax node, IMethodSymbol method, MemberAccessExpressionSyntax access, Operands parts)
    {
        parts.Text($"{Display(method.ContainingType)}.{MemberName(access)}(");
        parts.Text(method.ReducedFrom!.Parameters[0].RefKind == RefKind.Ref ? "ref " : "");
        Add(parts, access.Expression);
        foreach (ArgumentSyntax argument in node.ArgumentList.Arguments)
        {
            parts.Text(", ");
            FlattenNode(argument, parts);
        }

        parts.Text(")");
    }

    private Piece? TryLength(InvocationExpressionSyntax node, IMethodSymbol method)
    {
        bool asksLength = method.Name == nameof(Array.GetLength) && node.ArgumentList.Arguments.Count == 1;
        if (!asksLength || node.Expression is not MemberAccessExpressionSyntax access || Render(access.Expression).Array is not { } array)
        {
            return null;
        }

        ArgumentSyntax argument = node.ArgumentList.Arguments[0];
        object dimension = Known(argument.Expression, Diagnostics.IndexNotConstant, array.Name);
        bool exists = dimension is int index && index >= 0 && index < array.Lengths.Count;
        Check(exists, Diagnostics.IndexOutOfRange, argument, dimension, access, array.Lengths.Count - 1);
        return Piece.Of(array.Lengths[(int)dimension]);
    }

    /// <summary>The parts from <paramref name="first"/> on are those of an argument list: ( a , b ).</summary>
    private object? TryExtreme(IMethodSymbol method, Operands parts, int first)
    {
        bool isExtreme = method is { IsStatic: true, Name: nameof(Math.Max) or nameof(Math.Min), Parameters.Length: 2 }
            && PureTypes.Contains(method.ContainingType.Name);
        if (!isExtreme)
        {
            return null;
        }

        object[] values = [.. Enumerable.Range(first, parts.Count - first).Select(i => parts[i].Constant).OfType<object>()];
        return values.Length == 2 && Folding.Extreme(method.Name == nameof(Math.Max), values[0], values[1]) is { } value
            ? AsTyped(value, method.ReturnType)
            : null;
    }
}
