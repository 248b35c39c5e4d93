namespace Mamba.Managed.ILGPU.Tests.Kernels;

/// <summary>The scan of one channel of a sequence and its gradients in float64.</summary>
internal sealed class ScanReference(int length, int states)
{
    public required Func<int, double> U { get; init; }

    public required Func<int, double> Delta { get; init; }

    public required Func<int, double> Z { get; init; }

    public required Func<int, int, double> B { get; init; }

    public required Func<int, int, double> C { get; init; }

    public required Func<int, double> A2 { get; init; }

    public required Func<int, double> First { get; init; }

    public required double Bias { get; init; }

    public required double D { get; init; }

    public double[] Y { get; } = new double[length];

    /// <summary>[length + 1, states]</summary>
    public double[,] H { get; } = new double[length + 1, states];

    public double[] UGradient { get; } = new double[length];

    public double[] DeltaGradient { get; } = new double[length];

    public double[] ZGradient { get; } = new double[length];

    public double[] ALogGradient { get; } = new double[states];

    /// <summary>Of the first state.</summary>
    public double[] StateGradient { get; } = new double[states];

    public double BiasGradient { get; private set; }

    public double DGradient { get; private set; }

    public void Forward()
    {
        for (int n = 0; n < states; n++)
        {
            H[0, n] = First(n);
        }

        for (int t = 0; t < length; t++)
        {
            double delta = Softplus(Delta(t) + Bias);
            for (int n = 0; n < states; n++)
            {
                H[t + 1, n] = (Math.Pow(2, delta * A2(n)) * H[t, n]) + (delta * U(t) * B(n, t));
            }

            Y[t] = Sum(t) * Z(t) * Sigmoid(Z(t));
        }
    }

    /// <summary>Gradients after <see cref="Forward"/>; those of B and C are handed over term by term.</summary>
    public void Backward(Func<int, double> outputGradient, Func<int, double> lastGradient, Action<int, int, double> addB, Action<int, int, double> addC)
    {
        for (int n = 0; n < states; n++)
        {
            StateGradient[n] = lastGradient(n);
        }

        for (int t = length - 1; t >= 0; t--)
        {
            double before = Delta(t) + Bias, delta = Softplus(before), u = U(t), z = Z(t), sigmoid = Sigmoid(z), dy = outputGradient(t), ds = dy * z * sigmoid;
            double ddelta = 0, du = ds * D;
            for (int n = 0; n < states; n++)
            {
                double a = A2(n) * Math.Log(2), decay = Math.Exp(delta * a), g = StateGradient[n] + (ds * C(n, t));
                addC(n, t, ds * H[t + 1, n]);
                addB(n, t, g * delta * u);
                du += g * delta * B(n, t);
                ddelta += g * ((H[t, n] * a * decay) + (B(n, t) * u));
                ALogGradient[n] += g * H[t, n] * delta * decay * a;
                StateGradient[n] = g * decay;
            }

            UGradient[t] = du;
            DeltaGradient[t] = ddelta * Sigmoid(before);
            ZGradient[t] = dy * Sum(t) * sigmoid * (1 + (z * (1 - sigmoid)));
            BiasGradient += DeltaGradient[t];
            DGradient += ds * u;
        }
    }

    internal static double Sigmoid(double x) => 1 / (1 + Math.Exp(-x));

    private static double Softplus(double x) => Math.Max(x, 0) + Math.Log(1 + Math.Exp(-Math.Abs(x)));

    private double Sum(int t)
    {
        double sum = D * U(t);
        for (int n = 0; n < states; n++)
        {
            sum += H[t + 1, n] * C(n, t);
        }

        return sum;
    }
}
