namespace Mamba.Managed.Generation;

/// <summary>Collects the hidden vectors of a request that feeds tokens and generates none; token after token, so that chunks give the same bits.</summary>
/// <param name="pooling">Which vectors count.</param>
/// <param name="tokens">How many tokens the request has.</param>
/// <param name="size">Features of a vector.</param>
internal sealed class EmbeddingSum(Pooling pooling, int tokens, int size)
{
    private readonly double[] sum = new double[size];
    private int rows;

    /// <summary>After which of the tokens that are fed in a pass vectors are wanted.</summary>
    /// <param name="isLast">Whether no token is left after them.</param>
    public Execution.LogitRows Rows(bool isLast) => pooling == Pooling.Mean ? Execution.LogitRows.All : isLast ? Execution.LogitRows.Last : Execution.LogitRows.None;

    /// <summary>Adds vectors: [rows, size].</summary>
    public void Add(ReadOnlySpan<float> vectors)
    {
        for (int i = 0; i < vectors.Length; i++)
        {
            sum[i % size] += vectors[i];
        }

        rows += vectors.Length / size;
    }

    /// <summary>The vector of the text, after its last token.</summary>
    public float[] Result()
    {
        int expected = pooling == Pooling.Mean ? tokens : 1;
        return rows == expected ? Array.ConvertAll(sum, value => (float)(value / expected))
            : throw new InvalidOperationException(Throw.Invariant($"expected {expected} hidden vectors, found {rows}"));
    }
}
