namespace Mamba.Managed.Kernels;

/// <summary>Panels of quantized blocks, to be multiplied as integers with rows as of <see cref="QuantizedActivations"/>.</summary>
/// <remarks>
/// An output is one chain over the groups of inputs that share a scale, in ascending order. With codes q, zero z, scale s and minimum m of the
/// weights, integers p and scale r of the row:
/// <code>y = fma(s r, float(sum of (q - z) p), y)        and where there is a minimum        y = fma(-m, r sum of p, y)</code>
/// The sums of integers are exact, so every width and every tile gives the same bits.
/// </remarks>
internal abstract unsafe class BlockPanels : PanelKernels
{
    /// <summary>Inputs that share scale and minimum: 16 or 32.</summary>
    public abstract int GroupLength { get; }

    /// <summary>The code of the weight 0; 0 where codes are signed or there is a minimum.</summary>
    public abstract int Zero { get; }

    /// <summary>Whether the rows of a tile are words instead of bytes: codes of 8 bits are signed, and only products of words take two signs.</summary>
    public abstract bool TileTakesWords { get; }

    /// <summary>The code of the weight 0 in an expanded panel.</summary>
    public abstract int TileZero { get; }

    /// <summary>One row against neighboring panels.</summary>
    /// <param name="x">Some inputs of a row, alone, as of <see cref="QuantizedActivations"/>.</param>
    /// <param name="inputs">Inputs of the whole row.</param>
    /// <param name="first">The first input of these: a multiple of the block length.</param>
    /// <param name="depth">How many inputs these are: a multiple of the block length.</param>
    /// <param name="panels">The first panel.</param>
    /// <param name="count">Panels.</param>
    /// <param name="y">[16 count]: 0 or the sums so far.</param>
    public abstract void Gemv(int* x, int inputs, int first, int depth, byte* panels, int count, float* y);

    /// <summary>Numbers of 4 bytes of an expanded panel.</summary>
    public int ExpandedLength(int depth) => depth / GroupLength * Width * (2 + (GroupLength / ICodePlanes.QuadLength * (TileTakesWords ? 2 : 1)));

    /// <summary>Scales, minima and codes of neighboring inputs as <see cref="Tile"/> reads them.</summary>
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
    /// <param name="x">Six rows side by side, as of <see cref="QuantizedActivations"/>.</param>
    /// <param name="rows">How many of them count, 1 to 6.</param>
    /// <param name="depth">Inputs.</param>
    /// <param name="panels">Expanded panels, one after the other.</param>
    /// <param name="count">1 or 2.</param>
    /// <param name="sums">[6, 32], of which 16 count columns are used: 0 or the sums so far. Of one or three rows, what follows is lost.</param>
    /// <param name="ahead">Panels that are needed next, as many as <paramref name="count"/>.</param>
    public abstract void Tile(int* x, int rows, int depth, float* panels, int count, float* sums, PanelPrefetch ahead);
}
