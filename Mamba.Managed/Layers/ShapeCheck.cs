using System.Diagnostics.CodeAnalysis;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Layers;

/// <summary>Checks the shapes of a layer's tensors, so that kernels never read or write out of bounds.</summary>
internal static class ShapeCheck
{
    /// <summary>In place of a dimension: any number from 1 on.</summary>
    public const long Any = -1;

    /// <summary>Throws unless a parameter holds floating-point numbers of a shape.</summary>
    /// <param name="tensor">The parameter.</param>
    /// <param name="path">Its name in a checkpoint, or the part of it below the layer.</param>
    /// <param name="shape">The dimensions, some perhaps <see cref="Any"/>.</param>
    /// <exception cref="ArgumentException">It is missing, of another shape or of integers.</exception>
    public static void Require([NotNull] Tensor? tensor, string path, params ReadOnlySpan<long> shape)
    {
        if (tensor is null || !Fits(tensor, shape))
        {
            Throw.Argument(Message(path, shape, tensor), null);
        }
    }

    /// <summary>A parameter that is there: what a copy with another part is given passes no constructor.</summary>
    /// <param name="tensor">The parameter.</param>
    /// <param name="path">Its name below the layer.</param>
    /// <param name="shape">The dimensions, for the message.</param>
    /// <exception cref="ArgumentException">It is missing.</exception>
    public static Tensor Present(Tensor? tensor, string path, params ReadOnlySpan<long> shape) =>
        tensor ?? Throw.Argument<Tensor>(Message(path, shape, null), null);

    /// <summary>A layer that is there.</summary>
    /// <exception cref="ArgumentNullException">It is missing.</exception>
    public static T Present<T>([NotNull] T? part, [System.Runtime.CompilerServices.CallerMemberName] string name = "")
        where T : class
    {
        ArgumentNullException.ThrowIfNull(part, name);
        return part;
    }

    /// <summary>A dimension as text, for a layer that may not have been validated yet.</summary>
    public static string Size(Tensor tensor, int dimension) =>
        (uint)dimension < (uint)tensor.Shape.Length ? Throw.Invariant($"{tensor.Shape[dimension]}") : "?";

    /// <summary>Whether a tensor holds floating-point numbers of a shape.</summary>
    public static bool Fits(Tensor tensor, ReadOnlySpan<long> shape)
    {
        if (tensor.Type == ElementType.Int64 || tensor.Shape.Length != shape.Length)
        {
            return false;
        }

        for (int i = 0; i < shape.Length; i++)
        {
            if (shape[i] == Any ? tensor.Shape[i] < 1 : tensor.Shape[i] != shape[i])
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>What was expected under a path, and what was found.</summary>
    public static string Message(string path, ReadOnlySpan<long> shape, Tensor? found)
    {
        List<string> dimensions = [];
        foreach (long dimension in shape)
        {
            dimensions.Add(dimension == Any ? "any" : Throw.Invariant($"{dimension}"));
        }

        string expected = $"[{string.Join(", ", dimensions)}]";
        return $"{path}: expected floating-point numbers {expected}, found {(found is null ? "none" : found)}; give a tensor that fits the others of the layer";
    }
}
