using Mamba.Managed.ILGPU.Devices;
using Mamba.Managed.ILGPU.Benchmarks.Measuring;
using Mamba.Managed.ILGPU.Kernels;

namespace Mamba.Managed.ILGPU.Benchmarks.Suites;

/// <summary>One channel of one sequence, computed in float64 by the definition: what the device's results are compared with.</summary>
internal sealed class ScanChannel
{
    private const int States = ScanSize.States;

    private readonly float[] u;
    private readonly float[] delta;
    private readonly float[] z;
    private readonly float[][] b;
    private readonly float[][] c;
    private readonly ScanProblem problem;
    private readonly int sequence;
    private readonly int channel;

    public ScanChannel(GpuSession session, ScanProblem problem, int sequence, int channel)
    {
        (this.problem, this.sequence, this.channel) = (problem, sequence, channel);
        ScanArguments inputs = problem.Sets[0];
        u = Row(inputs.U, channel);
        delta = Row(inputs.Delta, channel);
        z = Row(inputs.Z, channel);
        b = [.. Enumerable.Range(0, States).Select(n => Row(inputs.B, n))];
        c = [.. Enumerable.Range(0, States).Select(n => Row(inputs.C, n))];

        float[] Row(DeviceMatrix matrix, int row) => DeviceValues.Row(session, matrix, row, sequence * problem.Size.Length, problem.Size.Length);
    }

    /// <summary>y of each token.</summary>
    public double[] Forward()
    {
        double[] h = InitialState(), y = new double[u.Length];
        for (int t = 0; t < y.Length; t++)
        {
            double sum = problem.HostD[channel] * (double)u[t];
            for (int n = 0; n < States; n++)
            {
                h[n] = Next(h[n], t, n);
                sum += h[n] * c[n][t];
            }

            y[t] = sum * z[t] * Sigmoid(z[t]);
        }

        return y;
    }

    /// <summary>Gradients of u, delta and z of each token, from the gradient of y.</summary>
    public (double[] U, double[] Delta, double[] Z) Backward(float[] gradient)
    {
        double[][] states = Trajectory();
        double[] dU = new double[u.Length], dDelta = new double[u.Length], dZ = new double[u.Length], g = new double[States];
        for (int t = u.Length - 1; t >= 0; t--)
        {
            double step = Step(t), sigmoid = Sigmoid(z[t]), sum = problem.HostD[channel] * (double)u[t], dStep = 0;
            double dSum = gradient[t] * z[t] * sigmoid;
            dU[t] = dSum * problem.HostD[channel];
            for (int n = 0; n < States; n++)
            {
                double decay = Decay(step, n), before = states[t][n];
                sum += states[t + 1][n] * c[n][t];
                g[n] += dSum * c[n][t];
                dU[t] += g[n] * step * b[n][t];
                dStep += g[n] * ((before * decay * A2(n) * Math.Log(2)) + (b[n][t] * (double)u[t]));
                g[n] *= decay;
            }

            dDelta[t] = dStep * Sigmoid(delta[t] + (double)problem.HostDeltaBias[channel]);
            dZ[t] = gradient[t] * sum * sigmoid * (1 + (z[t] * (1 - sigmoid)));
        }

        return (dU, dDelta, dZ);
    }

    private static double Sigmoid(double x) => 1 / (1 + Math.Exp(-x));

    // h before each token, and after the last.
    private double[][] Trajectory()
    {
        double[][] states = [InitialState(), .. Enumerable.Range(0, u.Length).Select(_ => new double[States])];
        for (int t = 0; t < u.Length; t++)
        {
            for (int n = 0; n < States; n++)
            {
                states[t + 1][n] = Next(states[t][n], t, n);
            }
        }

        return states;
    }

    private double[] InitialState() =>
        [.. Enumerable.Range(0, States).Select(n => (double)problem.HostInitial[(sequence * problem.StateLength) + (channel * States) + n])];

    private double Next(double h, int t, int n)
    {
        double step = Step(t);
        return (Decay(step, n) * h) + (step * u[t] * b[n][t]);
    }

    // Softplus of delta with its bias.
    private double Step(int t)
    {
        double x = delta[t] + (double)problem.HostDeltaBias[channel];
        return Math.Max(x, 0) + Math.Log(1 + Math.Exp(-Math.Abs(x)));
    }

    private double Decay(double step, int n) => Math.Pow(2, step * A2(n));

    private double A2(int n) => problem.HostA2[(channel * States) + n];
}
