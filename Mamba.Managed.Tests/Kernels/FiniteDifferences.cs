namespace Mamba.Managed.Tests.Kernels;

/// <summary>Gradients by central differences of fourth order in double precision: an oracle that knows no derivative.</summary>
internal static class FiniteDifferences
{
    private const double Step = 1e-3;

    /// <summary>The gradient of <paramref name="function"/> at <paramref name="at"/>.</summary>
    public static double[] Of(Func<double[], double> function, double[] at)
    {
        double[] gradient = new double[at.Length];
        for (int i = 0; i < at.Length; i++)
        {
            gradient[i] = Partial(function, at, i);
        }

        return gradient;
    }

    /// <summary>One entry of the gradient.</summary>
    public static double Partial(Func<double[], double> function, double[] at, int i)
    {
        double[] moved = [.. at];
        return ((8 * (Value(Step) - Value(-Step))) - (Value(2 * Step) - Value(-2 * Step))) / (12 * Step);

        double Value(double step)
        {
            moved[i] = at[i] + step;
            return function(moved);
        }
    }
}
