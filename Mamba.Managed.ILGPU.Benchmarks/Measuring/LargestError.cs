namespace Mamba.Managed.ILGPU.Benchmarks.Measuring;

/// <summary>The largest difference of a sample from what it should be, relative to the largest that it should be. What is not a number counts as infinite.</summary>
internal sealed class LargestError
{
    private readonly Lock gate = new();
    private double difference;
    private double largest;

    public double Relative => difference / largest;

    public void Add(IReadOnlyList<double> expected, IReadOnlyList<float> found)
    {
        double own = 0, ownLargest = 0;
        for (int i = 0; i < expected.Count; i++)
        {
            double apart = Math.Abs(expected[i] - found[i]);
            own = Math.Max(own, double.IsNaN(apart) ? double.PositiveInfinity : apart);
            ownLargest = Math.Max(ownLargest, Math.Abs(expected[i]));
        }

        lock (gate)
        {
            difference = Math.Max(difference, own);
            largest = Math.Max(largest, ownLargest);
        }
    }
}
