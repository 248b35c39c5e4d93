using Mamba.Managed.Kernels;
using Mamba.Managed.Threading;

namespace Mamba.Managed.Tests.Kernels;

/// <summary>Backward kernels against finite differences in double precision of the plain formulas, and against chains that fix their bits.</summary>
public unsafe class BackwardKernelTests
{
    private const double Tolerance = 2e-5;

    [Test]
    public void Strided_product_is_one_ascending_chain_for_any_strides_and_threads(
        [Values(1, 5, 6, 13, 200)] int m, [Values(1, 16, 17, 75)] int n, [Values(1, 40, 300)] int k, [Values(1, 2, 3, 4)] int threads) =>
        AssertOneChain(m, n, k, threads);

    [TestCase(250, 17, 1100)]
    [TestCase(3, 1000, 1100)]
    public void Strided_product_is_one_ascending_chain_beyond_one_block(int m, int n, int k) => AssertOneChain(m, n, k, 1);

    [Test]
    public void Rms_norm_gradients_are_those_of_finite_differences([Values(1, 2, 15, 16, 17, 50)] int features, [Values] bool weighted)
    {
        const int Rows = 3;
        const double Epsilon = 1e-3;
        double[] x = Doubles(Rows * features, 5), w = Doubles(features, 6), dy = Doubles(Rows * features, 7);
        w = weighted ? w : [.. w.Select(_ => 1.0)];
        double Loss(double[] x, double[] w)
        {
            double sum = 0;
            for (int row = 0; row < Rows; row++)
            {
                double square = x.Skip(row * features).Take(features).Sum(v => v * v);
                for (int i = 0; i < features; i++)
                {
                    sum += x[(row * features) + i] / Math.Sqrt((square / features) + Epsilon) * w[i] * dy[(row * features) + i];
                }
            }

            return sum;
        }

        float[] fx = Single(x), fw = Single(w), fdy = Single(dy), dx = new float[x.Length], dw = new float[features], inverses = new float[Rows];
        fixed (float* px = fx, pw = fw, pdy = fdy, pdx = dx, pdw = dw, pinverses = inverses)
        {
            for (int row = 0; row < Rows; row++)
            {
                int at = row * features;
                inverses[row] = RmsNormalizationBackward.Input(px + at, weighted ? pw : null, (float)Epsilon, pdy + at, pdx + at, features, true);
            }

            RmsNormalizationBackward.Weight(px, pinverses, pdy, pdw, Rows, features, 0, features);
        }

        AssertClose(FiniteDifferences.Of(v => Loss(v, w), x), dx);
        AssertClose(FiniteDifferences.Of(v => Loss(x, v), w), dw);
    }

    [Test]
    public void Convolution_gradients_are_those_of_finite_differences(
        [Values(1, 16, 21)] int channels, [Values(1, 2, 4)] int width, [Values(1, 3, 4, 9)] int length)
    {
        double[] x = Doubles(length * channels, 8), w = Doubles(width * channels, 9), bias = Doubles(channels, 10), window = Doubles(width * channels, 11);
        double[] dy = Doubles(length * channels, 12), dlast = Doubles(width * channels, 13);
        double Loss(double[] x, double[] w, double[] bias, double[] window)
        {
            double sum = 0;
            double[] all = [.. window, .. x];
            for (int t = 0; t < length; t++)
            {
                for (int c = 0; c < channels; c++)
                {
                    double p = bias[c];
                    for (int j = 0; j < width; j++)
                    {
                        p += w[(j * channels) + c] * all[((t + 1 + j) * channels) + c];
                    }

                    sum += p / (1 + Math.Exp(-p)) * dy[(t * channels) + c];
                }
            }

            return sum + all.Skip(length * channels).Zip(dlast, (v, g) => v * g).Sum();
        }

        float[] fx = Single(x), fw = Single(w), fbias = Single(bias), fwindow = Single(window), fdy = Single(dy), dwindow = Single(dlast);
        float[] dx = new float[x.Length], dw = new float[w.Length], dbias = new float[channels];
        fixed (float* px = fx, pw = fw, pbias = fbias, pwindow = fwindow, pdy = fdy, pdwindow = dwindow, pdx = dx, pdw = dw, pdbias = dbias)
        {
            CausalConvolutionBackward backward = new()
            {
                X = px, XGradient = pdx, Pitch = channels, Weight = pw, Bias = pbias, Window = pwindow, ConvStateGradient = pdwindow, OutputGradient = pdy,
                WeightGradient = pdw, BiasGradient = pdbias, Length = length, Channels = channels, Width = width,
            };
            backward.Run(0, channels);
        }

        AssertClose(FiniteDifferences.Of(v => Loss(v, w, bias, window), x), dx);
        AssertClose(FiniteDifferences.Of(v => Loss(x, v, bias, window), w), dw);
        AssertClose(FiniteDifferences.Of(v => Loss(x, w, v, window), bias), dbias);
        AssertClose(FiniteDifferences.Of(v => Loss(x, w, bias, v), window), dwindow);
    }

    [Test]
    public void Cross_entropy_and_its_gradient_are_those_of_float64([Values(1, 15, 16, 17, 300)] int count)
    {
        double[] logits = [.. Doubles(count, 14).Select(v => v * 30)];
        int target = count / 2;
        double[] powers = [.. logits.Select(l => Math.Exp(l - logits.Max()))];
        double expected = Math.Log(powers.Sum()) + logits.Max() - logits[target];
        float[] found = Single(logits);
        double loss;
        fixed (float* l = found)
        {
            loss = CrossEntropy.Backward(l, count, target, 0.25f);
        }

        Assert.That(loss, Is.EqualTo(expected).Within(1e-5 * (1 + expected)));
        AssertClose([.. powers.Select((p, i) => 0.25 * ((p / powers.Sum()) - (i == target ? 1 : 0)))], found);
    }

    [Test]
    public void Scan_definition_has_the_gradients_of_finite_differences([Values] bool softplus, [Values] bool optional)
    {
        const int Channels = 3, States = 4, Length = 7;
        SelectiveScanArguments<double> inputs = Arguments(Channels, States, Length, softplus, optional);
        double[] dy = Doubles(Length * Channels, 30), dlast = Doubles(Channels * States, 31);
        double Loss(SelectiveScanArguments<double> inputs)
        {
            double[] last = new double[Channels * States];
            double[] y = SelectiveScanReference.Forward<double>(inputs, last);
            return y.Zip(dy, (v, g) => v * g).Sum() + last.Zip(dlast, (v, g) => v * g).Sum();
        }

        SelectiveScanArguments<double> found = SelectiveScanGradientReference.Backward<double>(inputs, dy, dlast);
        AssertClose(FiniteDifferences.Of(v => Loss(inputs with { U = v }), inputs.U), found.U);
        AssertClose(FiniteDifferences.Of(v => Loss(inputs with { Dt = v }), inputs.Dt), found.Dt);
        AssertClose(FiniteDifferences.Of(v => Loss(inputs with { A = v }), inputs.A), found.A);
        AssertClose(FiniteDifferences.Of(v => Loss(inputs with { B = v }), inputs.B), found.B);
        AssertClose(FiniteDifferences.Of(v => Loss(inputs with { C = v }), inputs.C), found.C);
        AssertClose(FiniteDifferences.Of(v => Loss(inputs with { D = v }), inputs.D), found.D);
        AssertClose(FiniteDifferences.Of(v => Loss(inputs with { Z = v }), inputs.Z), found.Z);
        AssertClose(FiniteDifferences.Of(v => Loss(inputs with { Bias = v }), inputs.Bias), found.Bias);
        AssertClose(FiniteDifferences.Of(v => Loss(inputs with { State = v }), inputs.State), found.State);
    }

    [Test]
    public void Scan_gradients_by_vectors_follow_the_definition(
        [Values(1, 17, 80, 130)] int channels, [Values(1, 5, 16)] int states, [Values(1, 64, 65, 150)] int length, [Values] bool optional)
    {
        SelectiveScanArguments<double> inputs = Arguments(channels, states, length, true, optional);
        double[] dy = Doubles(length * channels, 32), dlast = Doubles(channels * states, 33);
        SelectiveScanArguments<double> expected = SelectiveScanGradientReference.Backward<double>(inputs, dy, dlast), found = ScanHarness.Backward(inputs, dy, dlast);
        Assert.Multiple(() =>
        {
            AssertClose(expected.U, found.U);
            AssertClose(expected.Dt, found.Dt);
            AssertClose(expected.A, found.A);
            AssertClose(expected.B, found.B);
            AssertClose(expected.C, found.C);
            AssertClose(expected.D, found.D);
            AssertClose(expected.Z, found.Z);
            AssertClose(expected.Bias, found.Bias);
            AssertClose(expected.State, found.State);
        });
    }

    private static void AssertOneChain(int m, int n, int k, int threads)
    {
        float[] a = Random(m * k, 1), b = Random(n * k, 2), start = Random(m * n, 3), bias = Random(n, 4);
        float[] plain = new float[m * n], added = [.. start], turned = [.. start];
        float[] aTurned = Transpose(a, m, k), bTurned = Transpose(b, n, k);
        using GemmScratch scratch = GeneralGemm.CreateScratch(threads);
        fixed (float* pa = a, pb = b, pat = aTurned, pbt = bTurned, pplain = plain, padded = added, pturned = turned, pbias = bias)
        {
            for (int worker = 0; worker < threads; worker++)
            {
                Worker one = new(null, worker, threads);
                GeneralGemm.Run(one, scratch, new(pa, m, k), new MatrixView(pb, n, k).Transposed, new(pplain, m, n), bias: pbias);
                GeneralGemm.Run(one, scratch, new(pa, m, k), new MatrixView(pbt, k, n), new(padded, m, n), accumulate: true);
                GeneralGemm.Run(one, scratch, new MatrixView(pat, k, m).Transposed, new(pbt, k, n), new(pturned, m, n), accumulate: true);
            }
        }

        for (int i = 0; i < m * n; i++)
        {
            float sum = 0, more = start[i];
            for (int j = 0; j < k; j++)
            {
                sum = MathF.FusedMultiplyAdd(a[(i / n * k) + j], b[(i % n * k) + j], sum);
                more = MathF.FusedMultiplyAdd(a[(i / n * k) + j], b[(i % n * k) + j], more);
            }

            Assert.That((plain[i], added[i], turned[i]), Is.EqualTo((sum + bias[i % n], more, more)), $"entry {i}");
        }
    }

    private static SelectiveScanArguments<double> Arguments(int channels, int states, int length, bool softplus, bool optional) => new(
        channels, states, softplus, Doubles(length * channels, 20), Doubles(length * channels, 21),
        [.. Doubles(channels * states, 22).Select(a => -4 * Math.Abs(a))], Doubles(length * states, 23), Doubles(length * states, 24),
        optional ? Doubles(channels, 25) : [], optional ? Doubles(length * channels, 26) : [], optional ? Doubles(channels, 27) : [],
        Doubles(channels * states, 28));

    private static void AssertClose(double[] expected, float[] found) => AssertClose(expected, Array.ConvertAll(found, v => (double)v));

    private static void AssertClose(double[] expected, double[] found) =>
        Assert.That(found, Is.EqualTo(expected).Within(Tolerance * expected.Select(Math.Abs).DefaultIfEmpty(0).Max() + 1e-9));

    private static float[] Random(int count, int seed)
    {
        Random random = new(seed);
        return [.. Enumerable.Range(0, count).Select(_ => (random.NextSingle() * 2) - 1)];
    }

    // Values that float32 holds exactly, so that both precisions see the same problem.
    private static double[] Doubles(int count, int seed) => Array.ConvertAll(Random(count, seed), v => (double)v);

    private static float[] Single(double[] values) => Array.ConvertAll(values, v => (float)v);

    private static float[] Transpose(float[] values, int rows, int columns) =>
        [.. Enumerable.Range(0, values.Length).Select(i => values[(i % rows * columns) + (i / rows)])];
}
