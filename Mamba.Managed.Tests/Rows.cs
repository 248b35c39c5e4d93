using CommunityToolkit.HighPerformance;

namespace Mamba.Managed.Tests;

/// <summary>Arrays and spans as rows.</summary>
internal static class Rows
{
    /// <summary>[length, width]</summary>
    public static Span2D<float> Of(Span<float> values, int width) => values.AsSpan2D(values.Length / width, width);

    /// <summary>A copy of dense rows with gaps between them, as the columns of a wider matrix.</summary>
    public static Span2D<float> WithGaps(float[] values, int width, int gap = 3)
    {
        int rows = values.Length / width;
        Span2D<float> wide = new float[rows * (width + gap)].AsSpan().AsSpan2D(rows, width + gap), view = wide[.., 1..(width + 1)];
        wide.Fill(float.NaN);
        Of(values, width).CopyTo(view);
        return view;
    }
}
