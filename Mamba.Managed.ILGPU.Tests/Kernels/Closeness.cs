namespace Mamba.Managed.ILGPU.Tests.Kernels;

/// <summary>The largest error of some numbers against the largest expected.</summary>
internal sealed class Closeness(double tolerance)
{
    private double error;
    private double largest;

    public void Add(double expected, double found)
    {
        double difference = Math.Abs(expected - found);
        error = double.IsNaN(difference) ? double.PositiveInfinity : Math.Max(error, difference);
        largest = Math.Max(largest, Math.Abs(expected));
    }

    public void Check(string name) => Assert.That(error, Is.LessThanOrEqualTo(tolerance * largest), $"{name}, of {largest:G3}");
}
