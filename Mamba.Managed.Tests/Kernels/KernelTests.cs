using System.Runtime.Intrinsics;
using Mamba.Managed.Kernels;
using Mamba.Managed.Kernels.Simd;
using Mamba.Managed.Tensors;
using Mamba.Managed.Threading;

namespace Mamba.Managed.Tests.Kernels;

/// <summary>Fast kernels against plain loops in double precision.</summary>
public class KernelTests
{
    // One rounding of 2^-24 a step of the longest chain here (150) stays below this share of the largest value.
    private const double Tolerance = 1e-5;

    [Test]
    public void Elementary_functions_are_close_at_every_magnitude()
    {
        for (float x = -140; x < 140; x += 0.0371f)
        {
            double power = x < -126.5 ? 0 : x > 127.5 ? double.PositiveInfinity : Math.Pow(2, x);
            Assert.That((double)Elementary.Exp2<LanesScalar, float>(x), Is.EqualTo(power).Within(Math.Min(power, 1e38) * 3e-7 + 1.2e-38), $"2^{x}");
            double softplus = x > 30 ? x : Math.Log(1 + Math.Exp(x));
            softplus = x < -15 ? Math.Exp(x) : softplus;
            Assert.That((double)Elementary.Softplus<LanesScalar, float>(x), Is.EqualTo(softplus).Within((softplus * 1e-5) + 1.2e-38), $"softplus {x}");
            double silu = x / (1 + Math.Exp(-x));
            Assert.That((double)Elementary.Silu<LanesScalar, float>(x), Is.EqualTo(silu).Within((Math.Abs(silu) * 1e-5) + 2e-36), $"silu {x}");
        }
    }

    [Test]
    public void Special_values_pass_through_elementary_functions()
    {
        Assert.Multiple(() =>
        {
            Assert.That(Elementary.Exp2<LanesScalar, float>(0), Is.EqualTo(1f));
            Assert.That(Elementary.Exp2<LanesScalar, float>(-1000), Is.EqualTo(0f));
            Assert.That(Elementary.Exp2<LanesScalar, float>(float.NegativeInfinity), Is.EqualTo(0f));
            Assert.That(Elementary.Exp2<LanesScalar, float>(float.PositiveInfinity), Is.EqualTo(float.PositiveInfinity));
            Assert.That(Elementary.Exp2<LanesScalar, float>(BitConverter.UInt32BitsToSingle(0x7FC001FF)), Is.NaN);
            Assert.That(Elementary.Softplus<LanesScalar, float>(float.NaN), Is.NaN);
            Assert.That(Elementary.Softplus<LanesScalar, float>(1000), Is.EqualTo(1000f));
            Assert.That(Elementary.Silu<LanesScalar, float>(float.NaN), Is.NaN);
        });
    }

    [Test]
    public void Every_width_gives_the_bits_of_the_scalar_form()
    {
        float[] values = [.. Random(4096, 1).Select(v => v * 60), float.NaN, 0, -0f, 1e30f, -1e30f, float.NegativeInfinity, float.PositiveInfinity, 3, 4, 5, 6, 7, 8, 9, 10, 11];
        if (InstructionSets.IsSupported(InstructionSet.Vector128))
        {
            Same<Lanes128, Vector128<float>>(values);
        }

        if (InstructionSets.IsSupported(InstructionSet.Avx2))
        {
            Same<Lanes256, Vector256<float>>(values);
        }

        if (InstructionSets.IsSupported(InstructionSet.Avx512))
        {
            Same<Lanes512, Vector512<float>>(values);
        }

        Same<LanesScalar, float>(values);
    }

    [Test]
    public void Matrix_product_is_right_at_every_edge(
        [Values(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 40)] int rows, [Values(1, 15, 17, 32, 81)] int outputs, [Values(1, 3, 150)] int inputs) =>
        AssertProduct(rows, outputs, inputs);

    // Few panels, for which rows are read where they lie, and more.
    [TestCase(530, 17, 1700)]
    [TestCase(518, 130, 1537)]
    public void Matrix_product_is_right_beyond_one_block(int rows, int outputs, int inputs) => AssertProduct(rows, outputs, inputs);

    [Test]
    public void Rms_norm_is_right_at_every_length()
    {
        for (int features = 1; features <= 256; features++)
        {
            float[] x = Random(features, features), weight = Random(features, 5);
            double scale = 1 / Math.Sqrt(x.Average(v => (double)v * v) + 1e-5);
            float[] expected = [.. x.Zip(weight, (v, w) => (float)(v * scale * w))];
            RmsNormalization.Forward(x, weight, 1e-5f, x);
            Assert.That(x, Is.EqualTo(expected).Within(1e-6), $"{features} features");
        }
    }

    [Test]
    public unsafe void Fused_scan_follows_the_reference([Values(1, 7, 16, 33)] int channels, [Values(1, 4, 7, 16)] int states, [Values(1, 31, 33, 70)] int length)
    {
        float[] u = Random(length * channels, 6), dt = Random(length * channels, 7), z = Random(length * channels, 8);
        float[] b = Random(length * states, 9), c = Random(length * states, 10), d = Random(channels, 11), bias = Random(channels, 12);
        float[] a = [.. Random(channels * states, 13).Select(v => -8 * Math.Abs(v))];
        float[] state = Random(channels * states, 14);
        dt[0] = 1000;
        float[] panels = ScanHarness.ToPanels(state, channels, states);
        float[] decay = ScanHarness.ToPanels([.. a.Select(v => v * Elementary.Log2E)], channels, states);
        float[] expected = SelectiveScanReference.Forward<float>(new(channels, states, true, [.. u], dt, a, b, c, d, z, bias, [.. state]), state);
        fixed (float* pu = u, pdt = dt, pz = z, pb = b, pc = c, pd = d, pbias = bias, pdecay = decay, pstate = panels)
        {
            SelectiveScan scan = new()
            {
                U = pu, Dt = pdt, DtPitch = channels, Bias = pbias, Softplus = true, Decay = pdecay, B = pb, C = pc, Pitch = states, D = pd,
                Z = pz, ZPitch = channels, State = pstate, Y = pu, Length = length, Channels = channels, States = states,
            };
            scan.Forward(0, channels);
        }

        Assert.That(u, Is.EqualTo(expected).Within(Tolerance * expected.Max(Math.Abs)));
        Assert.That(ScanHarness.FromPanels(panels, channels, states), Is.EqualTo(state).Within(Tolerance * state.Max(Math.Abs)));
    }

    // Channels whose powers stay normal numbers take a shorter way, but not next to some that have a step too long or no number.
    [Test]
    public unsafe void A_single_row_has_the_same_bits_whether_or_not_the_fastest_decays_are_known(
        [Values(16, 24, 33, 130)] int channels, [Values(4, 7, 16)] int states, [Values("normal", "long", "NaN", "0 x infinity")] string odd)
    {
        float[] u = Random(channels, 6), dt = Random(channels, 7), b = Random(states, 9), c = Random(states, 10), state = Random(channels * states, 14);
        float[] decay = [.. Random(channels * states, 13).Select(v => -8 * Math.Abs(v))];
        float[] fastest = [.. Enumerable.Repeat(8f, channels)];
        switch (odd)
        {
            case "long":
                dt[^1] = 1000;
                break;
            case "NaN":
                dt[8] = float.NaN;
                break;
            case "0 x infinity":
                dt[3] = -1000;
                fastest[3] = float.PositiveInfinity;
                decay[3] = float.NegativeInfinity;
                break;
        }

        (float[] expected, float[] expectedState) = Step(null);
        fixed (float* known = fastest)
        {
            (float[] y, float[] after) = Step(known);
            Assert.That(y, Is.EqualTo(expected));
            Assert.That(after, Is.EqualTo(expectedState));
        }

        (float[] Y, float[] State) Step(float* known)
        {
            float[] y = new float[channels], moved = [.. state];
            fixed (float* pu = u, pdt = dt, pb = b, pc = c, pdecay = decay, pstate = moved, py = y)
            {
                SelectiveScan scan = new()
                {
                    U = pu, Dt = pdt, DtPitch = channels, Softplus = true, Decay = pdecay, MaxDecay = known, B = pb, C = pc, Pitch = states,
                    State = pstate, Y = py, Length = 1, Channels = channels, States = states,
                };
                scan.Forward(0, channels);
            }

            return (y, moved);
        }
    }

    [Test]
    public unsafe void Rows_alone_have_the_bits_of_rows_together([Values(1, 16, 24, 33, 130)] int channels, [Values(1, 4, 7, 16)] int states)
    {
        const int Rows = 5;
        float[] u = Random(Rows * channels, 6), dt = Random(Rows * channels, 7), z = Random(Rows * channels, 8);
        float[] b = Random(Rows * states, 9), c = Random(Rows * states, 10), d = Random(channels, 11), bias = Random(channels, 12);
        float[] decay = [.. Random(channels * states, 13).Select(v => -8 * Math.Abs(v))], fastest = [.. Enumerable.Repeat(8f, channels)];
        float[] before = Random(channels * states, 14);
        (float[] expected, float[] expectedState) = Run(Rows);
        (float[] y, float[] state) = Run(1);
        Assert.That(y, Is.EqualTo(expected));
        Assert.That(state, Is.EqualTo(expectedState));

        (float[] Y, float[] State) Run(int length)
        {
            float[] y = new float[Rows * channels], state = [.. before];
            fixed (float* pu = u, pdt = dt, pz = z, pb = b, pc = c, pd = d, pbias = bias, pdecay = decay, pfastest = fastest, pstate = state, py = y)
            {
                for (int t = 0; t < Rows; t += length)
                {
                    SelectiveScan scan = new()
                    {
                        U = pu + (t * channels), Dt = pdt + (t * channels), DtPitch = channels, Bias = pbias, Softplus = true, Decay = pdecay, MaxDecay = pfastest,
                        B = pb + (t * states), C = pc + (t * states), Pitch = states, D = pd, Z = pz + (t * channels), ZPitch = channels, State = pstate,
                        Next = pstate, Y = py + (t * channels), Length = length, Channels = channels, States = states,
                    };
                    scan.Forward(0, channels);
                }
            }

            return (y, state);
        }
    }

    private static void AssertProduct(int rows, int outputs, int inputs)
    {
        float[] x = Random(rows * inputs, 2), w = Random(outputs * inputs, 3), bias = Random(outputs, 4), y = new float[rows * outputs];
        using GemmScratch scratch = MatrixProduct.CreateScratch(1, rows, inputs);
        MatrixProduct.Forward(Worker.Alone, scratch, x, inputs, new PackedMatrix(Tensor.FromFloats(w, outputs, inputs)), bias, y, rows);
        for (int i = 0; i < rows; i++)
        {
            for (int j = 0; j < outputs; j++)
            {
                float sum = 0;
                for (int k = 0; k < inputs; k++)
                {
                    sum = MathF.FusedMultiplyAdd(x[(i * inputs) + k], w[(j * inputs) + k], sum);
                }

                Assert.That(y[(i * outputs) + j], Is.EqualTo(sum + bias[j]), $"row {i}, output {j}");
            }
        }
    }

    private static unsafe void Same<L, V>(float[] values)
        where L : struct, ILanes<V>
    {
        float[] power = new float[values.Length], softplus = new float[values.Length], silu = new float[values.Length];
        fixed (float* x = values, p = power, s = softplus, g = silu)
        {
            for (int i = 0; i + L.Count <= values.Length; i += L.Count)
            {
                L.Store(p + i, Elementary.Exp2<L, V>(L.Load(x + i)));
                L.Store(s + i, Elementary.Softplus<L, V>(L.Load(x + i)));
                L.Store(g + i, Elementary.Silu<L, V>(L.Load(x + i)));
            }
        }

        Assert.That(values.Length % 16, Is.Zero);
        Assert.That(power, Is.EqualTo(values.Select(Elementary.Exp2<LanesScalar, float>)));
        Assert.That(softplus, Is.EqualTo(values.Select(Elementary.Softplus<LanesScalar, float>)));
        Assert.That(silu, Is.EqualTo(values.Select(Elementary.Silu<LanesScalar, float>)));
        SameNormal<L, V>();
    }

    // Powers that cannot leave the normal numbers.
    private static unsafe void SameNormal<L, V>()
        where L : struct, ILanes<V>
    {
        const float Limit = Elementary.Exp2NormalLimit;

        // Halves are ties of the rounding.
        float[] values = [.. Random(4096, 15).Select(v => v * Limit), Limit, -Limit, 0, -0f, .. Enumerable.Range(0, 4 * (int)Limit).Select(i => (i / 2f) - Limit)];
        float[] power = [.. values, .. new float[64 - (values.Length % 64)]];
        fixed (float* first = power)
        {
            for (float* p = first; p < first + power.Length; p += 4 * L.Count)
            {
                V a = L.Load(p), b = L.Load(p + L.Count), c = L.Load(p + (2 * L.Count)), d = L.Load(p + (3 * L.Count));
                Elementary.Exp2Normal<L, V>(ref a, ref b, ref c, ref d);
                L.Store(p, a);
                L.Store(p + L.Count, b);
                L.Store(p + (2 * L.Count), c);
                L.Store(p + (3 * L.Count), d);
            }
        }

        Assert.That(power[..values.Length], Is.EqualTo(values.Select(Elementary.Exp2<LanesScalar, float>)));
    }

    private static float[] Random(int count, int seed)
    {
        Random random = new(seed);
        return [.. Enumerable.Range(0, count).Select(_ => (random.NextSingle() * 2) - 1)];
    }
}
