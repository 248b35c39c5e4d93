using System.Runtime.CompilerServices;
using CommunityToolkit.HighPerformance;

namespace Mamba.Managed.Kernels;

/// <summary>What the checked doors of kernels need of rows in memory: a <see cref="Span2D{T}"/> is [rows, features], its rows perhaps apart.</summary>
internal static class SpanRows
{
    /// <summary>Throws unless there are so many rows of so many features; of no rows the features do not matter.</summary>
    /// <exception cref="ArgumentException">There are not.</exception>
    public static void Require(ReadOnlySpan2D<float> found, int rows, int features, [CallerArgumentExpression(nameof(found))] string? argument = null)
    {
        if (found.Height != rows || (rows > 0 && found.Width != features))
        {
            Throw.Argument(Throw.Invariant($"expected [{rows}, {features}], found [{found.Height}, {found.Width}]; give memory that matches the other shapes"), argument);
        }
    }

    /// <summary>As <see cref="Require"/>, and nothing lies between the rows.</summary>
    /// <exception cref="ArgumentException">The shape is another, or the rows are apart.</exception>
    public static void RequireDense(ReadOnlySpan2D<float> found, int rows, int features, [CallerArgumentExpression(nameof(found))] string? argument = null)
    {
        Require(found, rows, features, argument);
        if (!found.IsDense())
        {
            Throw.Argument(Throw.Invariant($"expected rows of {features} without gaps, found {found.Pitch()} from row to row; give memory of its own"), argument);
        }
    }

    /// <summary>Floats from the beginning of a row to the beginning of the next.</summary>
    public static int Pitch(this ReadOnlySpan2D<float> rows) => rows.Height < 2
        ? rows.Width
        : checked((int)(Unsafe.ByteOffset(in rows.DangerousGetReferenceAt(0, 0), in rows.DangerousGetReferenceAt(1, 0)) / sizeof(float)));

    /// <summary>Whether nothing lies between the rows.</summary>
    public static bool IsDense(this ReadOnlySpan2D<float> rows) => rows.Pitch() == rows.Width;

    /// <summary>Rows that go through a layer together: enough to share the reading of weights, few enough that memory between the layers stays small.</summary>
    /// <param name="features">Floats of the widest row.</param>
    public static int ChunkOf(int features) => Math.Clamp((1 << 22) / features, 1, 512);
}
