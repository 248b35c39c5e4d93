namespace Mamba.Managed.Kernels;

/// <summary>Panels of quantized blocks, multiplied with <see cref="QuantizedActivations"/> in integer arithmetic.</summary>
/// <remarks>
/// An output is one chain over the groups of inputs that share a scale, in ascending order. With codes q, zero point z, scale s and minimum m of the
/// weights, and codes p and scale r of the activations:
/// <code>y = fma(s r, float(sum of (q - z) p), y)        and where there is a minimum        y = fma(-m, r sum of p, y)</code>
/// The integer sums are exact, so every vector width and every tile gives the same bits.
/// </remarks>
internal abstract unsafe class BlockPanels : PanelKernels
{
    /// <summary>Inputs that share scale and minimum: 16 or 32.</summary>
    public abstract int GroupLength { get; }

    /// <summary>The zero point, the code of the weight 0; it is 0 where codes are signed or there is a minimum.</summary>
    public abstract int Zero { get; }

    /// <summary>Whether the rows of a tile are 16-bit words instead of bytes: 8-bit codes are signed, and byte products need one unsigned factor.</summary>
    public abstract bool TileTakesWords { get; }

    /// <summary>The zero point of the codes in an unpacked panel.</summary>
    public abstract int TileZero { get; }

    /// <summary>Gemv over a run of panels.</summary>
    /// <param name="x">Some inputs of one row, as <see cref="QuantizedActivations.Pack"/> leaves them.</param>
    /// <param name="inputs">Inputs of the whole row.</param>
    /// <param name="first">The first input of these: a multiple of the block length.</param>
    /// <param name="depth">How many inputs these are: a multiple of the block length.</param>
    /// <param name="panels">The first panel.</param>
    /// <param name="count">Panels.</param>
    /// <param name="y">[16 count]: 0 or the sums so far.</param>
    public abstract void Gemv(int* x, int inputs, int first, int depth, byte* panels, int count, float* y);

    /// <summary>4-byte words of an unpacked panel.</summary>
    public int ExpandedLength(int depth) => depth / GroupLength * Width * (2 + (GroupLength / ICodePlanes.QuadLength * (TileTakesWords ? 2 : 1)));

    /// <summary>Unpacks scales, minima and codes of a run of inputs for <see cref="Tile"/>.</summary>
    /// <remarks>
    /// <code>
    /// per group:  | scale x 16 | -minimum x 16 | q0 .. q3 x 16 | q4 .. q7 x 16 | ...
    /// as words:                                | q0, q1 x 16 | q2, q3 x 16 | ...
    /// </code>
    /// </remarks>
    /// <param name="panel">The panel.</param>
    /// <param name="first">The first input: a multiple of the block length.</param>
    /// <param name="depth">How many inputs: a multiple of the block length.</param>
    /// <param name="to">[<see cref="ExpandedLength"/>]</param>
    public abstract void Expand(byte* panel, int first, int depth, float* to);

    /// <summary>Adds the products of up to six rows.</summary>
    /// <param name="x">Six interleaved rows, as <see cref="QuantizedActivations.PackTiles"/> leaves them.</param>
    /// <param name="rows">How many of the six are rows of the batch, 1 to 6.</param>
    /// <param name="depth">Inputs.</param>
    /// <param name="panels">Unpacked panels, one after the other.</param>
    /// <param name="count">1 or 2.</param>
    /// <param name="sums">[6, 32], of which 16 count columns are used: 0 or the sums so far. For an odd number of rows the row after them is overwritten.</param>
    /// <param name="ahead">As many panels to prefetch as <paramref name="count"/>.</param>
    public abstract void Tile(int* x, int rows, int depth, float* panels, int count, float* sums, PanelPrefetch ahead);
}
